import { record } from "../autograd/tape.ts";
import { broadcastForward, gatherRegion, joinRegions, padForward, stridesOf } from "../kernels/copy.ts";
import { requireOneDevice } from "../kernels/launch.ts";
import { requireWhole } from "../runtime/options.ts";
import { OptionError, ShapeError, shapeError } from "../runtime/errors.ts";
import { sameShape, viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";
import { sumTo } from "./reduce.ts";

/**
 * The same elements in the same order under another shape, sharing the storage. Differentiable.
 *
 * @throws ShapeError if the numbers of elements differ
 */
export function reshape(input: Tensor, shape: Shape): Tensor {
  return record("reshape", viewOf(input, shape), [[input, (gradOutput) => viewOf(gradOutput, input.shape)]]);
}

/**
 * Joins tensors along an axis. Differentiable in each.
 *
 * @param inputs of one dtype, with equal extents except along that axis
 * @param axis negative ones count from the end; by default the last
 * @returns their dtype; extents along the axis add up
 * @throws ShapeError if the other axes, the dtypes or the devices differ, or there is no input; OptionError if the axis
 *   does not exist
 */
export function concat(inputs: readonly Tensor[], axis = -1): Tensor {
  const [first] = inputs;
  if (!first) throw new ShapeError("concat: expected at least one input");
  const named = Object.fromEntries(inputs.map((input, i) => [`input ${i}`, input]));
  const at = requireAxis("concat", axis, first);
  const rest = (shape: Shape): Shape => shape.filter((_, i) => i !== at);
  if (!inputs.every(({ shape }) => shape.length === first.shape.length && sameShape(rest(shape), rest(first.shape)))) {
    shapeError("concat", `expected equal shapes except along axis ${at}`, named);
  }
  inputs.forEach(({ dtype }, i) => {
    if (dtype !== first.dtype)
      shapeError("concat", `expected one dtype, input 0 is ${first.dtype} and input ${i} ${dtype}`, named);
  });
  requireOneDevice("concat", named);
  let offset = 0;
  const parts = inputs.map((input) => {
    const start = offset;
    offset += input.shape[at]!;
    return [input, (gradOutput: Tensor) => sliceForward(gradOutput, start, input.shape[at]!, at)] as const;
  });
  return record("concat", joinRegions("concat", inputs, at), parts, { axis: at });
}

/**
 * Takes `count` consecutive entries along an axis from `start`. Differentiable.
 *
 * @param input any dtype
 * @param axis negative ones count from the end; by default the last
 * @returns the input's shape with that axis of extent `count`
 * @throws OptionError if the axis does not exist, or the entries are out of range
 */
export function slice(input: Tensor, start: number, count: number, axis = -1): Tensor {
  const at = requireAxis("slice", axis, input);
  const extent = input.shape[at]!;
  if (!(Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count >= 0 && start + count <= extent)) {
    const within = `[0,${extent}) of axis ${at} of [${input.shape.join(",")}]`;
    throw new OptionError(`slice: expected whole numbers within ${within}, asked for [${start},${start + count})`);
  }
  const amounts = input.shape.map((_, i): [number, number] => (i === at ? [start, extent - start - count] : [0, 0]));
  return record(
    "slice",
    sliceForward(input, start, count, at),
    [[input, (gradOutput) => padForward("slice", gradOutput, amounts, 0)]],
    { axis: at, start },
  );
}

/**
 * Pads a tensor with a constant. Differentiable.
 *
 * @param input any dtype
 * @param amounts number of elements before and after, for each axis
 * @param value by default 0
 * @throws OptionError unless there is a pair of whole numbers for each axis
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.pad.html, mode "constant"
 */
export function pad(input: Tensor, amounts: readonly (readonly [before: number, after: number])[], value = 0): Tensor {
  if (amounts.length !== input.shape.length) {
    throw new OptionError(
      `pad: expected a pair of amounts for each axis of [${input.shape.join(",")}], got ${amounts.length}`,
    );
  }
  requireWhole("pad", "amounts", 0, amounts.flat());
  if (input.dtype === "u32" && value !== value >>> 0) throw new OptionError(`pad: expected a u32 value, got ${value}`);
  return record(
    "pad",
    padForward("pad", input, amounts, value),
    [
      [
        input,
        (gradOutput) => {
          const strides = stridesOf(gradOutput.shape);
          const base = strides.reduce((sum, stride, axis) => sum + stride * amounts[axis]![0], 0);
          return gatherRegion("pad", gradOutput, input.shape, strides, base);
        },
      ],
    ],
    { amounts, value },
  );
}

/**
 * Permutes the axes. Differentiable.
 *
 * @param input any dtype
 * @param order the input axis of each output axis; negative ones count from the end
 * @throws OptionError unless the order names each axis once
 * @see https://pytorch.org/docs/stable/generated/torch.permute.html
 */
export function transpose(input: Tensor, order: readonly number[]): Tensor {
  const axes = order.map((axis) => (axis < 0 ? axis + input.shape.length : axis));
  if (axes.length !== input.shape.length || !input.shape.every((_, axis) => axes.includes(axis))) {
    throw new OptionError(`transpose: expected each axis of [${input.shape.join(",")}] once, got ${order.join(",")}`);
  }
  return record(
    "transpose",
    permuted(input, axes),
    [
      [
        input,
        (gradOutput) =>
          permuted(
            gradOutput,
            axes.map((_, axis) => axes.indexOf(axis)),
          ),
      ],
    ],
    { axes },
  );
}

/**
 * Repeats a tensor along axes of extent 1, and along new ones in front, as NumPy broadcasts. Differentiable.
 *
 * @param input any dtype
 * @returns `shape`, the input's dtype
 * @throws ShapeError if the input does not broadcast to the shape
 */
export function broadcastTo(input: Tensor, shape: Shape): Tensor {
  const added = shape.length - input.shape.length;
  const fits = added >= 0 && input.shape.every((extent, axis) => extent === 1 || extent === shape[axis + added]);
  if (!fits) shapeError("broadcastTo", `expected a shape that broadcasts to [${shape.join(",")}]`, { input });
  return record("broadcastTo", broadcastForward("broadcastTo", input, shape), [
    [input, (gradOutput) => sumTo(gradOutput, input.shape)],
  ]);
}

/** Makes an axis nonnegative; negative ones count from the end. Throws OptionError if it does not exist. */
export function requireAxis(op: string, axis: number, input: Tensor): number {
  const rank = input.shape.length;
  if (!(Number.isInteger(axis) && axis >= -rank && axis < rank)) {
    throw new OptionError(
      `${op}: expected an axis of [${input.shape.join(",")}], from ${-rank} to ${rank - 1}, got ${axis}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

function sliceForward(input: Tensor, start: number, count: number, axis: number): Tensor {
  const strides = stridesOf(input.shape);
  return gatherRegion(
    "slice",
    input,
    input.shape.map((extent, at) => (at === axis ? count : extent)),
    strides,
    start * strides[axis]!,
  );
}

function permuted(input: Tensor, order: readonly number[]): Tensor {
  const strides = stridesOf(input.shape);
  return gatherRegion(
    "transpose",
    input,
    order.map((axis) => input.shape[axis]!),
    order.map((axis) => strides[axis]!),
    0,
  );
}
