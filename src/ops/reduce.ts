import { record } from "../autograd/tape.ts";
import { castForward, settleAs } from "../kernels/cast.ts";
import { broadcastForward } from "../kernels/copy.ts";
import { binaryForward } from "../kernels/elementwise.ts";
import { floatDType } from "../kernels/launch.ts";
import { maxPositionsForward, reduceMiddle, scaleForward, type Reduction } from "../kernels/reduce.ts";
import { OptionError, ShapeError, shapeError } from "../runtime/errors.ts";
import { countOf, release, viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";

/**
 * Sums over axes. Differentiable.
 *
 * @param input any shape, f32 or f16
 * @param axes any of them, negative ones counted from the end; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError for an axis that does not exist or is named twice; ShapeError if they hold no element, or the
 * input is u32
 */
export function sum(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  return scaledSum("sum", input, axesOf("sum", input, axes), 1);
}

/**
 * The mean over axes. Differentiable.
 *
 * @param input any shape, f32 or f16
 * @param axes any of them, negative ones counted from the end; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError for an axis that does not exist or is named twice; ShapeError if they hold no element, or the
 * input is u32
 */
export function mean(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  const at = axesOf("mean", input, axes);
  return scaledSum("mean", input, at, 1 / countOf(at.map((axis) => input.shape[axis]!)));
}

/**
 * The maximum over axes. Differentiable: elements that share the maximum share its gradient.
 *
 * @param input any shape, f32 or f16
 * @param axes any of them, negative ones counted from the end; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError for an axis that does not exist or is named twice; ShapeError if they hold no element, or the
 * input is u32
 * @see https://pytorch.org/docs/stable/generated/torch.amax.html
 */
export function max(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  return extremum("max", input, axes);
}

/**
 * The minimum over axes. Differentiable: elements that share the minimum share its gradient.
 *
 * @param input any shape, f32 or f16
 * @param axes any of them, negative ones counted from the end; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError for an axis that does not exist or is named twice; ShapeError if they hold no element, or the
 * input is u32
 */
export function min(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  return extremum("min", input, axes);
}

/**
 * Position of the largest element of each row along the last axis, the first of several; NaN is skipped unless it comes
 * first in its row. Positions count all elements of the tensor, so that `gather` on the flattened tensor finds them.
 * Not differentiable.
 *
 * @param input `[..., M]`, f32 or f16; meant for rows of a few thousand elements, as one invocation walks each
 * @returns `[...]`, u32
 * @throws ShapeError if the input is u32, or its last axis is missing or empty
 */
export function maxPositions(input: Tensor): Tensor {
  floatDType("maxPositions", { input });
  if (!input.shape.at(-1)) shapeError("maxPositions", "expected a last axis of at least one element", { input });
  return record("maxPositions", maxPositionsForward(input), [[input, null]]);
}

/**
 * Sums `gradient` over the axes that broadcasting repeated, back to `shape`; shares its storage if there are none. An
 * empty sum is 0.
 */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  const added = gradient.shape.length - shape.length;
  const repeated = gradient.shape.flatMap((extent, axis) => (extent === (shape[axis - added] ?? 1) ? [] : [axis]));
  return viewOf(repeated.length === 0 ? gradient : reduceAxes(gradient, repeated, "sum"), shape);
}

function scaledSum(op: string, input: Tensor, axes: readonly number[], scale: number): Tensor {
  const output = reduceAxes(input, axes, "sum", scale);
  return record(
    op,
    output,
    [
      [
        input,
        (gradOutput) => {
          if (scale === 1) return broadcastForward(op, gradOutput, input.shape);
          const scaled = scaleForward(gradOutput, scale);
          const gradInput = broadcastForward(op, scaled, input.shape);
          release(scaled);
          return gradInput;
        },
      ],
    ],
    { axes },
  );
}

function extremum(op: "max" | "min", input: Tensor, axes: readonly number[]): Tensor {
  const at = axesOf(op, input, axes);
  const output = reduceAxes(input, at, op);
  return record(
    op,
    output,
    [
      [
        input,
        (gradOutput) => {
          using scope = input.device.scope();
          // In f32: there may be more ties than f16 can count exactly.
          const wide = (tensor: Tensor): Tensor => (tensor.dtype === "f16" ? castForward(tensor, "f32") : tensor);
          // Repeated by a copy, which handles more axes than a binary function.
          const everywhere = (tensor: Tensor): Tensor => broadcastForward(op, tensor, input.shape);
          const ties = binaryForward(wide(input), everywhere(wide(output)), "equal");
          const share = binaryForward(wide(gradOutput), reduceAxes(ties, at, "sum"), "divide");
          return scope.keep(settleAs(binaryForward(ties, everywhere(share), "multiply"), input.dtype));
        },
      ],
    ],
    { axes: at },
  );
}

/** Reduces any axes, each run of adjacent axes in turn from the last, in f32 until the end. */
function reduceAxes(input: Tensor, axes: readonly number[], reduction: Reduction, scale = 1): Tensor {
  const runs: { readonly first: number; end: number }[] = [];
  for (const axis of [...axes].sort((a, b) => a - b)) {
    if (runs.at(-1)?.end === axis) runs.at(-1)!.end++;
    else runs.push({ first: axis, end: axis + 1 });
  }
  if (runs.length === 0) runs.push({ first: 0, end: 0 });
  let current = runs.length > 1 && input.dtype === "f16" ? castForward(input, "f32") : input;
  runs.reverse().forEach(({ first, end }, i) => {
    const { shape } = current;
    const [groups, extent, channels] = [
      countOf(shape.slice(0, first)),
      countOf(shape.slice(first, end)),
      countOf(shape.slice(end)),
    ];
    const reduced = shape.map((own, axis) => (axis >= first && axis < end ? 1 : own));
    const next = reduceMiddle(
      current,
      { groups, extent, channels },
      reduced,
      reduction,
      i === runs.length - 1 ? scale : 1,
    );
    if (current !== input) release(current);
    current = next;
  });
  return settleAs(current, input.dtype);
}

const allAxes = ({ shape }: Tensor): number[] => shape.map((_, axis) => axis);

/** Checks the axes and makes them nonnegative. */
function axesOf(op: string, input: Tensor, axes: readonly number[]): number[] {
  floatDType(op, { input });
  const { shape } = input;
  const at = axes.map((axis) => (axis < 0 ? axis + shape.length : axis));
  if (!at.every((axis, i) => Number.isInteger(axis) && axis >= 0 && axis < shape.length && at.indexOf(axis) === i)) {
    throw new OptionError(`${op}: expected axes of [${shape.join(",")}], each once, got ${axes.join(",")}`);
  }
  if (at.some((axis) => shape[axis] === 0)) {
    throw new ShapeError(`${op}: nothing to reduce in [${shape.join(",")}] over axes ${axes.join(",")}`);
  }
  return at;
}
