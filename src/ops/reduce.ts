import { record } from "../autograd/tape.ts";
import { binaryForward } from "../kernels/elementwise.ts";
import { requireDType } from "../kernels/launch.ts";
import { reduceMiddle, type Middle } from "../kernels/reduce.ts";
import { OptionError, ShapeError } from "../runtime/errors.ts";
import { countOf, viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";

/**
 * Sums neighbouring axes. Differentiable.
 *
 * @param input any shape, f32
 * @param axes the axes to sum, which must follow one another; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError if the axes are not neighbours within the shape; ShapeError if they hold no element, or the input is not f32
 */
export function sum(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  return scaledSum("sum", input, axes, 1);
}

/**
 * The mean over neighbouring axes. Differentiable.
 *
 * @param input any shape, f32
 * @param axes the axes to average, which must follow one another; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError if the axes are not neighbours within the shape; ShapeError if they hold no element, or the input is not f32
 */
export function mean(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  const { extent } = middleOf("mean", input, axes);
  return scaledSum("mean", input, axes, 1 / extent);
}

/**
 * The maximum over neighbouring axes. Not differentiable.
 *
 * @param input any shape, f32
 * @param axes the axes to search, which must follow one another; all by default
 * @returns the input's shape with those axes of extent 1
 * @throws OptionError if the axes are not neighbours within the shape; ShapeError if they hold no element, or the input is not f32
 */
export function max(input: Tensor, axes: readonly number[] = allAxes(input)): Tensor {
  return reduceMiddle(input, middleOf("max", input, axes), reducedShape(input.shape, axes), "max");
}

/** Sums `gradient` over whatever axes broadcasting had repeated, back to `shape`. The sum of nothing is 0. */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  const rank = gradient.shape.length;
  const repeated = gradient.shape.map((extent, axis) => extent !== (shape[axis - (rank - shape.length)] ?? 1));
  let current = gradient;
  for (let end = rank; end > 0; ) {
    let first = end - 1;
    if (repeated[first]) {
      while (first > 0 && repeated[first - 1]) first--;
      const axes = Array.from({ length: end - first }, (_, i) => first + i);
      current = reduceMiddle(current, middleAt(current.shape, first, end), reducedShape(current.shape, axes), "sum");
    }
    end = first;
  }
  return viewOf(current, shape);
}

function scaledSum(op: string, input: Tensor, axes: readonly number[], scale: number): Tensor {
  const middle = middleOf(op, input, axes);
  const { groups, extent, channels } = middle;
  const output = reduceMiddle(input, middle, reducedShape(input.shape, axes), "sum", scale);
  return record(op, output, [
    [input, (gradOutput) => {
      const scaled = reduceMiddle(gradOutput, { groups: 1, extent: 1, channels: groups * channels }, [groups, 1, channels], "sum", scale);
      return viewOf(binaryForward(scaled, viewOf(input, [groups, extent, channels]), "first"), input.shape);
    }],
  ]);
}

const allAxes = ({ shape }: Tensor): number[] => shape.map((_, axis) => axis);

const reducedShape = (shape: Shape, axes: readonly number[]): Shape => shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));

const middleAt = (shape: Shape, first: number, end: number): Middle => ({
  groups: countOf(shape.slice(0, first)),
  extent: countOf(shape.slice(first, end)),
  channels: countOf(shape.slice(end)),
});

function middleOf(op: string, input: Tensor, axes: readonly number[]): Middle {
  requireDType(op, "f32", { input });
  const { shape } = input;
  const sorted = [...axes].sort((a, b) => a - b);
  const [first = 0] = sorted;
  const end = first + sorted.length;
  if (!sorted.every((axis, i) => axis === first + i) || !Number.isInteger(first) || first < 0 || end > shape.length) {
    throw new OptionError(`${op}: expected neighbouring axes of [${shape.join(",")}], got ${axes.join(",")}`);
  }
  const middle = middleAt(shape, first, end);
  if (middle.extent === 0) throw new ShapeError(`${op}: nothing to reduce in [${shape.join(",")}] over axes ${axes.join(",")}`);
  return middle;
}
