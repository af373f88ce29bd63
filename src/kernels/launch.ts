import { ShapeError, shapeError } from "../runtime/errors.ts";
import type { Element } from "../runtime/kernel.ts";
import type { WgslModule } from "../runtime/wgsl.ts";
import type { DType, Shape, Tensor } from "../tensor/tensor.ts";

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

type Described = Record<string, { readonly shape: Shape; readonly dtype: DType }>;

/** Throws ShapeError unless all tensors have the dtype. */
export function requireDType(op: string, dtype: DType, tensors: Described): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor.dtype !== dtype) shapeError(op, `expected ${name} of dtype ${dtype}, it is ${tensor.dtype}`, tensors);
  }
}

/** Throws ShapeError unless `name` has the given shape. */
export function requireShape(op: string, name: string, shape: Shape, tensors: Described): void {
  const got = tensors[name]!.shape;
  if (got.length !== shape.length || got.some((d, i) => d !== shape[i])) shapeError(op, `expected ${name} [${shape.join(",")}]`, tensors);
}

/** A number for both axes, or one for each. */
export type Pair = number | readonly [h: number, w: number];

export const pairOf = (value: Pair): readonly [number, number] => (typeof value === "number" ? [value, value] : value);
