import type { Device } from "../runtime/device.ts";
import { ShapeError } from "../runtime/errors.ts";
import type { Element } from "../runtime/kernel.ts";
import type { Allocation } from "../runtime/pool.ts";

/** f32 for numbers, u32 for indices and packed pixels. */
export type DType = "f32" | "u32";
export type Shape = readonly number[];

/** A dense row-major array on the device. Images are NHWC. Values are never changed after they were written. */
export interface Tensor {
  readonly id: number;
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly allocation: Allocation;
  readonly requiresGrad: boolean;
}

const ARRAYS = { f32: Float32Array, u32: Uint32Array };

let nextId = 0;

/** Number of elements. */
export const countOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** Bytes of storage. */
export const bytesOf = ({ shape }: { readonly shape: Shape }): number => 4 * countOf(shape);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Four channels travel together where their number allows it. */
export const packOf = (channels: number): 1 | 4 => (channels % 4 === 0 && channels > 0 ? 4 : 1);

/** The element prelude for tensors of `channels` innermost elements. */
export const elementOf = (channels: number): Element => (packOf(channels) === 4 ? "f32x4" : "f32");

/** A tensor whose contents are unspecified until a kernel writes them. */
export function empty(device: Device, shape: Shape, dtype: DType = "f32"): Tensor {
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new ShapeError(`empty: expected whole, non-negative extents, got [${shape.join(",")}]`);
  }
  return { id: nextId++, device, shape, dtype, requiresGrad: false, allocation: device.allocate(bytesOf({ shape })) };
}

/**
 * A tensor holding a copy of `data`, row-major.
 * @throws ShapeError if `data` has another number of elements than `shape`
 */
export function fromArray(device: Device, shape: Shape, data: Float32Array | Uint32Array): Tensor {
  if (data.length !== countOf(shape)) {
    throw new ShapeError(`fromArray: shape [${shape.join(",")}] holds ${countOf(shape)} elements, got ${data.length}`);
  }
  const tensor = empty(device, shape, data instanceof Uint32Array ? "u32" : "f32");
  device.write(tensor.allocation.buffer, data);
  return tensor;
}

/** A tensor of zeros. */
export function zeros(device: Device, shape: Shape, dtype: DType = "f32"): Tensor {
  const tensor = empty(device, shape, dtype);
  device.clear(tensor.allocation.buffer, bytesOf(tensor));
  return tensor;
}

/** Reads a tensor's elements, row-major. The tensor may be released as soon as this has returned its promise. */
export async function toArray(tensor: Tensor & { readonly dtype: "u32" }): Promise<Uint32Array>;
export async function toArray(tensor: Tensor): Promise<Float32Array>;
export async function toArray(tensor: Tensor): Promise<Float32Array | Uint32Array> {
  return new ARRAYS[tensor.dtype](await tensor.device.read(tensor.allocation.buffer, bytesOf(tensor)));
}

/** The same storage under another shape. */
export function viewOf(tensor: Tensor, shape: Shape): Tensor {
  if (countOf(shape) !== countOf(tensor.shape)) {
    throw new ShapeError(`reshape: [${tensor.shape.join(",")}] has ${countOf(tensor.shape)} elements, [${shape.join(",")}] ${countOf(shape)}`);
  }
  return { ...tensor, id: nextId++, shape, requiresGrad: false };
}

/** The same tensor as one that gradients are wanted for. */
export function requireGrad(tensor: Tensor): Tensor {
  return { ...tensor, id: nextId++, requiresGrad: true };
}

/** Gives the tensor's storage back before its scope closes. */
export function release(tensor: Tensor): void {
  tensor.device.release(tensor.allocation);
}
