import type { Device } from "../runtime/device.ts";
import { OptionError, ReleasedError, ShapeError, UnsupportedError } from "../runtime/errors.ts";
import type { Allocation } from "../runtime/pool.ts";
import { floatToHalf, halfToFloat } from "./half.ts";

/** f32 and f16 for numbers, u32 for indices and packed pixels. f16 is storage: kernels compute in f32. */
export const DTYPES = ["f32", "f16", "u32"] as const;
/** Storage type of a tensor's elements. */
export type DType = (typeof DTYPES)[number];
/** Storage type of numbers; arithmetic is f32. */
export type FloatDType = "f32" | "f16";
/** Extents, outermost first. */
export type Shape = readonly number[];

/** A dense row-major array on the device. Images are NHWC. Values never change once written. */
export interface Tensor {
  readonly id: number;
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly allocation: Allocation;
  readonly requiresGrad: boolean;
}

const BYTES = { f32: 4, f16: 2, u32: 4 };

let nextId = 0;

/** Number of elements. */
export const countOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** Size of the elements, in bytes. */
export const bytesOf = ({ shape, dtype }: { readonly shape: Shape; readonly dtype: DType }): number =>
  BYTES[dtype] * countOf(shape);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Elements per load: four channels if their number is a multiple of four, otherwise one. */
export const packOf = (channels: number): 1 | 4 => (channels % 4 === 0 && channels > 0 ? 4 : 1);

/** The element prelude for tensors with `channels` innermost elements. */
export const elementOf = <T extends DType>(dtype: T, channels: number): T | `${T}x4` =>
  packOf(channels) === 4 ? `${dtype}x4` : dtype;

/**
 * A tensor with undefined contents until a kernel writes them.
 * @throws ShapeError for an extent that is not whole, or more bytes than a buffer of the device can hold;
 *   UnsupportedError for f16 if the device lacks it
 */
export function empty(device: Device, shape: Shape, dtype: DType = "f32"): Tensor {
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new ShapeError(`empty: expected whole, non-negative extents, got [${shape.join(",")}]`);
  }
  if (dtype === "f16" && !device.gpu.features.has("shader-f16")) {
    throw new UnsupportedError("empty: this device has no f16 (feature shader-f16); use f32");
  }
  return {
    id: nextId++,
    device,
    shape,
    dtype,
    requiresGrad: false,
    allocation: device.allocate(bytesOf({ shape, dtype })),
  };
}

/**
 * A tensor with a copy of `data`, row-major.
 * @param dtype storage type; f16 rounds to the nearest. Default: u32 for a Uint32Array, otherwise f32
 * @throws ShapeError if `data` does not have as many elements as `shape`; OptionError for a Uint32Array stored as
 *   floats, or the reverse
 */
export function fromArray(
  device: Device,
  shape: Shape,
  data: Float32Array | Uint32Array,
  dtype: DType = data instanceof Uint32Array ? "u32" : "f32",
): Tensor {
  if (data.length !== countOf(shape)) {
    throw new ShapeError(`fromArray: shape [${shape.join(",")}] holds ${countOf(shape)} elements, got ${data.length}`);
  }
  if (data instanceof Uint32Array !== (dtype === "u32")) {
    throw new OptionError(`fromArray: expected a Uint32Array for u32 and a Float32Array for f32 and f16, got ${dtype}`);
  }
  const tensor = empty(device, shape, dtype);
  device.write(tensor.allocation.buffer, dtype === "f16" ? Uint16Array.from(data, floatToHalf) : data);
  return tensor;
}

/**
 * A tensor of zeros.
 * @throws as `empty`
 */
export function zeros(device: Device, shape: Shape, dtype: DType = "f32"): Tensor {
  const tensor = empty(device, shape, dtype);
  device.clear(tensor.allocation.buffer, Math.ceil(bytesOf(tensor) / 4) * 4);
  return tensor;
}

/**
 * Reads a tensor's elements, row-major; f16 is widened to f32. The tensor may be released as soon as the call returns.
 * @throws ReleasedError if it was released; UsageError inside `capture`, where nothing can be read; DeviceLostError,
 *   GpuError or OutOfMemoryError for earlier failures
 */
export async function toArray(tensor: Tensor & { readonly dtype: "u32" }): Promise<Uint32Array>;
export async function toArray(tensor: Tensor): Promise<Float32Array>;
export async function toArray(tensor: Tensor): Promise<Float32Array | Uint32Array> {
  requireLive("toArray", { tensor });
  const bytes = await tensor.device.read(tensor.allocation.buffer, bytesOf(tensor));
  if (tensor.dtype === "f16") return Float32Array.from(new Uint16Array(bytes), halfToFloat);
  return tensor.dtype === "u32" ? new Uint32Array(bytes) : new Float32Array(bytes);
}

/**
 * The same storage with another shape.
 * @throws ShapeError if the number of elements differs, ReleasedError if it was released
 */
export function viewOf(tensor: Tensor, shape: Shape): Tensor {
  requireLive("reshape", { tensor });
  if (countOf(shape) !== countOf(tensor.shape)) {
    throw new ShapeError(
      `reshape: [${tensor.shape.join(",")}] has ${countOf(tensor.shape)} elements, ` +
        `[${shape.join(",")}] ${countOf(shape)}`,
    );
  }
  return { ...tensor, id: nextId++, shape, requiresGrad: false };
}

/** Marks a tensor as one to differentiate for; returns it with the same storage. */
export function requireGrad(tensor: Tensor): Tensor {
  return { ...tensor, id: nextId++, requiresGrad: true };
}

/**
 * Throws ReleasedError unless all tensors still have their storage.
 * @param op the operation, for the error
 */
export function requireLive(
  op: string,
  tensors: Readonly<Record<string, { readonly shape: Shape; readonly allocation?: Allocation }>>,
): void {
  for (const [name, { shape, allocation }] of Object.entries(tensors)) {
    if (!allocation?.isReleased) continue;
    const remedy = "keep it in its scope (scope.keep) or release it later";
    throw new ReleasedError(
      `${op}: ${name} [${shape.join(",")}] was released, or a tensor that shares its storage; ${remedy}`,
    );
  }
}

/**
 * Releases the tensor's storage before its scope closes, and with it that of all tensors that share it, such as
 * reshapes. Releasing twice has no effect.
 */
export function release(tensor: Tensor): void {
  tensor.device.release(tensor.allocation);
}
