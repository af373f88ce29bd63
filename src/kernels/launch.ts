import type { Device } from "../runtime/device.ts";
import { OptionError, ShapeError, shapeError } from "../runtime/errors.ts";
import type { Element } from "../runtime/kernel.ts";
import type { WgslModule } from "../runtime/wgsl.ts";
import type { DType, FloatDType, Shape, Tensor } from "../tensor/tensor.ts";

/** One dispatch: which code, over which tensors, how many invocations (or workgroups). */
export interface Launch {
  readonly module: WgslModule;
  readonly entryPoint: string;
  readonly element: Element;
  readonly constants?: Readonly<Record<string, number | boolean>>;
  /** By the names of the WGSL's bindings. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly params: Readonly<Record<string, number>>;
  readonly size: { readonly invocations: number } | { readonly workgroups: number };
}

/** Records a dispatch. Tensors of different devices are refused. */
export function launch({ module, entryPoint, element, constants, tensors, params, size }: Launch): void {
  const [[, { device }]] = Object.entries(tensors) as [[string, Tensor]];
  const buffers: Record<string, GPUBuffer> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.device !== device) throw new ShapeError(`${module.name}: expected tensors of one device, ${name} is on another`);
    buffers[name] = tensor.allocation.buffer;
  }
  const kernel = device.kernel({ module, entryPoint, element, ...(constants && { constants }) });
  const workgroups = "workgroups" in size ? device.workgroups(size.workgroups, 1) : device.workgroups(size.invocations, kernel.workgroupSize);
  device.dispatch(kernel, buffers, params, workgroups);
}

type Described = Record<string, { readonly shape: Shape; readonly dtype: DType; readonly device?: Device }>;

/** Throws ShapeError unless all tensors have the dtype and one device. */
export function requireDType(op: string, dtype: DType, tensors: Described): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.dtype !== dtype) shapeError(op, `expected ${name} of dtype ${dtype}, it is ${tensor.dtype}`, tensors);
  }
  requireOneDevice(op, tensors);
}

/** The dtype of tensors that must share one, f32 or f16, and one device; throws ShapeError where they do not. */
export function floatDType(op: string, tensors: Described): FloatDType {
  const [[firstName, { dtype }]] = Object.entries(tensors) as [[string, Described[string]]];
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.dtype === "u32") shapeError(op, `expected ${name} of dtype f32 or f16, it is u32`, tensors);
    if (tensor.dtype !== dtype) shapeError(op, `expected one dtype, ${firstName} is ${dtype} and ${name} ${tensor.dtype}; cast one of them`, tensors);
  }
  requireOneDevice(op, tensors);
  return dtype as FloatDType;
}

function requireOneDevice(op: string, tensors: Described): void {
  let first: readonly [name: string, device: Device] | null = null;
  for (const [name, { device }] of Object.entries(tensors)) {
    if (!device) continue;
    if (first && first[1] !== device) shapeError(op, `expected tensors of one device, ${name} is on another than ${first[0]}`, tensors);
    first ??= [name, device];
  }
}

/** Throws ShapeError unless `name` has the given shape. */
export function requireShape(op: string, name: string, shape: Shape, tensors: Described): void {
  const got = tensors[name]!.shape;
  if (got.length !== shape.length || got.some((d, i) => d !== shape[i])) shapeError(op, `expected ${name} [${shape.join(",")}]`, tensors);
}

/**
 * Options with defaults for those not given. One that the operation does not know is refused: a misspelt option must not
 * pass for its default.
 */
export function readOptions<T extends object>(op: string, options: Partial<T>, defaults: T): T {
  for (const name of Object.keys(options)) {
    if (!(name in defaults)) throw new OptionError(`${op}: unknown option ${name}; it takes ${Object.keys(defaults).join(", ")}`);
  }
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, options[name as keyof T] ?? (value as unknown)])) as T;
}

/** Place of a word among those that an option takes: the value of the WGSL's override. Throws OptionError for another word. */
export function choiceOf(op: string, name: string, choices: readonly string[], value: string): number {
  const index = choices.indexOf(value);
  if (index < 0) throw new OptionError(`${op}: expected ${name} to be ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}, got ${value}`);
  return index;
}

/** A number for both axes, or one for each. */
export type Pair = number | readonly [h: number, w: number];

export const pairOf = (value: Pair): readonly [number, number] => (typeof value === "number" ? [value, value] : value);

/** Throws OptionError unless all values are whole numbers of at least `least`. */
export function requireWhole(op: string, name: string, least: number, values: readonly number[]): void {
  if (!values.every((value) => Number.isInteger(value) && value >= least)) {
    throw new OptionError(`${op}: expected ${name} to be whole numbers of at least ${least}, got ${values.join(",")}`);
  }
}
