import type { BufferPart } from "../runtime/bind_groups.ts";
import type { Device } from "../runtime/device.ts";
import { ShapeError, TooLargeError, UsageError, shapeError } from "../runtime/errors.ts";
import type { Element } from "../runtime/kernel.ts";
import type { Allocation } from "../runtime/pool.ts";
import type { Work } from "../runtime/profiler.ts";
import type { WgslModule } from "../runtime/wgsl.ts";
import {
  bytesOf,
  requireLive,
  sameShape,
  type DType,
  type FloatDType,
  type Shape,
  type Tensor,
} from "../tensor/tensor.ts";

/** One dispatch: its code, its tensors, and its number of invocations or workgroups. */
export interface Launch {
  readonly module: WgslModule;
  /** Default "forward". */
  readonly entryPoint?: string;
  /** Sets the WGSL's `elem`, `pack` and `accum`. Default "f32". */
  readonly element?: Element;
  /** Values of the WGSL's overrides. */
  readonly constants?: Readonly<Record<string, number | boolean>>;
  /** Tensors by binding name in the WGSL. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Values by member name of the WGSL's `Params`. Default: none. */
  readonly params?: Readonly<Record<string, number>>;
  /**
   * Minimum number of invocations, or number of workgroups, along one axis. An axis that is too long is folded into
   * two; `flat_index` in the prelude unfolds it.
   */
  readonly size: { readonly invocations: number } | { readonly workgroups: number };
  /**
   * Set if the work falls into independent parts along the first axis: tensors larger than a dispatch can bind are then
   * processed part by part.
   */
  readonly parts?: Parts;
  /** Minimum cost, for roofline figures. Default: each tensor is read or written once, no operations. */
  readonly work?: Partial<Work>;
}

/** Independent parts of a dispatch, such as the images of a batch. */
export interface Parts {
  /** Name of the param that holds the number of parts. */
  readonly param: string;
  /**
   * Names of tensors that consist of that many equal pieces in sequence. Every dispatch sees all other tensors whole.
   */
  readonly tensors: readonly string[];
  /** Size for a given number of parts, if it is not proportional to that number. */
  readonly size?: (parts: number) => Launch["size"];
}

const ALIGNMENT = 256; // alignment of a bound part's first byte, sufficient on every device
const PACK_BYTES = 16; // the largest element: WebGPU requires room for at least one

/**
 * Records a dispatch, or several if a tensor is larger than one can bind.
 * @throws ShapeError for tensors on different devices, or for one too large for a kernel that cannot be split into
 *   parts; ReleasedError for a released tensor; UsageError for a missing tensor or param, or a tensor, param, override
 *   or entry point that the WGSL does not declare
 */
export function launch(options: Launch): void {
  const {
    module,
    entryPoint = "forward",
    element = "f32",
    constants,
    tensors,
    params = {},
    size,
    parts,
    work = {},
  } = options;
  if ("invocations" in size && module.ownSizes?.includes(entryPoint)) {
    throw new UsageError(
      `${module.name}.${entryPoint}: expected size in workgroups, as its workgroup size is not WORKGROUP_SIZE`,
    );
  }
  const [[, { device }]] = Object.entries(tensors) as [[string, Tensor]];
  requireLive(module.name, tensors);
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.device !== device)
      throw new ShapeError(`${module.name}: expected tensors of one device, ${name} is on another`);
  }
  const kernel = device.kernel({ module, entryPoint, element, ...(constants && { constants }) });
  const count = parts ? params[parts.param]! : 1;
  const { bytes = bytesOfAll(tensors), operations = 0 } = work;
  const most = partsAtOnce(module.name, device.maxBindingBytes, tensors, count, parts);
  for (let first = 0; first < count; first += most) {
    const taken = Math.min(most, count - first);
    const buffers: Record<string, BufferPart> = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      buffers[name] = parts?.tensors.includes(name) ? seen(tensor, first, taken, count) : seen(tensor, 0, 1, 1);
    }
    const part = taken === count ? size : (parts!.size?.(taken) ?? shareOf(size, taken / count));
    const workgroups =
      "workgroups" in part
        ? device.workgroups(part.workgroups, 1)
        : device.workgroups(part.invocations, kernel.workgroupSize);
    const share = taken / count;
    const partParams = taken === count ? params : { ...params, [parts!.param]: taken };
    device.dispatch(kernel, buffers, partParams, workgroups, { bytes: bytes * share, operations: operations * share });
  }
}

/** Total bytes of tensors; one that is bound twice counts once. */
const bytesOfAll = (tensors: Launch["tensors"]): number =>
  [...new Set(Object.values(tensors))].reduce((sum, tensor) => sum + bytesOf(tensor), 0);

/**
 * The part of a tensor's buffer that a dispatch binds, for `taken` of `count` parts: the whole buffer unless that is
 * larger than a binding may be, as a buffer shared by tensors can be.
 */
function seen(tensor: Tensor, first: number, taken: number, count: number): BufferPart {
  const {
    device,
    allocation: { buffer },
  } = tensor;
  if (taken === count && buffer.size <= device.maxBindingBytes) return buffer;
  const each = bytesOf(tensor) / count;
  return { buffer, offset: first * each, size: Math.ceil((taken * each) / PACK_BYTES) * PACK_BYTES };
}

const shareOf = (size: Launch["size"], share: number): Launch["size"] =>
  "workgroups" in size
    ? { workgroups: Math.round(size.workgroups * share) }
    : { invocations: Math.round(size.invocations * share) };

/** Number of parts that fit into one dispatch: all of them unless a tensor is too large. */
function partsAtOnce(
  op: string,
  maxBytes: number,
  tensors: Readonly<Record<string, Tensor>>,
  count: number,
  parts?: Parts,
): number {
  let most = Math.max(1, count);
  let step = 1;
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = bytesOf(tensor);
    const inParts = parts?.tensors.includes(name) && count > 0;
    if (inParts) step = Math.max(step, ALIGNMENT / commonFactor(ALIGNMENT, bytes / count)); // powers of two
    if (bytes <= maxBytes) continue;
    if (inParts) most = Math.min(most, Math.floor((maxBytes / bytes) * count));
    else most = 0;
  }
  if (most < count) most -= most % step;
  if (most > 0) return most;
  const [name, { shape }] = Object.entries(tensors).sort(([, a], [, b]) => bytesOf(b) - bytesOf(a))[0]!;
  const seen = `the ${maxBytes} bytes that a dispatch can see on this device`;
  throw new TooLargeError(`${op}: ${name} [${shape.join(",")}] is larger than ${seen}; use a smaller batch`);
}

const commonFactor = (a: number, b: number): number => (b === 0 ? a : commonFactor(b, a % b));

type Described = Record<
  string,
  { readonly shape: Shape; readonly dtype: DType; readonly device?: Device; readonly allocation?: Allocation }
>;

/** Throws ShapeError unless all tensors have the dtype and one device. */
export function requireDType(op: string, dtype: DType, tensors: Described): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.dtype !== dtype) shapeError(op, `expected ${name} of dtype ${dtype}, it is ${tensor.dtype}`, tensors);
  }
  requireOneDevice(op, tensors);
}

/** The common dtype, f32 or f16, of tensors on one device; throws ShapeError if they do not share both. */
export function floatDType(op: string, tensors: Described): FloatDType {
  const [[firstName, { dtype }]] = Object.entries(tensors) as [[string, Described[string]]];
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.dtype === "u32") shapeError(op, `expected ${name} of dtype f32 or f16, it is u32`, tensors);
    if (tensor.dtype !== dtype)
      shapeError(
        op,
        `expected one dtype, ${firstName} is ${dtype} and ${name} ${tensor.dtype}; cast one of them`,
        tensors,
      );
  }
  requireOneDevice(op, tensors);
  return dtype as FloatDType;
}

/** Throws ShapeError unless all tensors are on one device, ReleasedError for a released tensor. */
export function requireOneDevice(op: string, tensors: Described): void {
  requireLive(op, tensors); // before anything is allocated
  let first: readonly [name: string, device: Device] | null = null;
  for (const [name, { device }] of Object.entries(tensors)) {
    if (!device) continue;
    if (first && first[1] !== device)
      shapeError(op, `expected tensors of one device, ${name} is on another than ${first[0]}`, tensors);
    first ??= [name, device];
  }
}

/** Throws ShapeError unless tensor `name` has the given shape. */
export function requireShape(op: string, name: string, shape: Shape, tensors: Described): void {
  if (!sameShape(tensors[name]!.shape, shape)) shapeError(op, `expected ${name} [${shape.join(",")}]`, tensors);
}

/** A number for both axes, or one for each. */
export type Pair = number | readonly [h: number, w: number];

export const pairOf = (value: Pair): readonly [number, number] => (typeof value === "number" ? [value, value] : value);
