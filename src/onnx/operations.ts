import type { Call } from "../autograd/listing.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { DTYPES } from "./model.ts";
import type { Activation } from "../kernels/activation.ts";
import type { GaussianBlurOptions } from "../kernels/gaussian_blur.ts";
import { activate, activated } from "./activations.ts";
import {
  flag,
  image,
  imageAxis,
  optionsOf,
  plain,
  refuse,
  type Conversion,
  type Converted,
  type Rule,
} from "./conversion.ts";
import { convolution, foldedNorm, pool, transposedConvolution } from "./convolutions.ts";

/** The ONNX form of each op that a detector uses. An op's options are those that it passes to `record`. */
export const OPERATIONS: Readonly<Record<string, Rule>> = {
  scalar: (call, to) => plain(to.number(optionsOf<{ value: number }>(call).value)),
  add: elementwise("Add"),
  subtract: elementwise("Sub"),
  multiply: elementwise("Mul"),
  divide: elementwise("Div"),
  maximum: elementwise("Max"),
  ...Object.fromEntries(
    (["relu", "hswish", "hsigmoid", "sigmoid", "silu", "tanh", "sqrt", "log", "abs"] as const).map((name) => [
      name,
      activated(name),
    ]),
  ),
  matmul,
  pointwiseConv2d: (call, to) => convolution(call, to, null),
  conv2d: (call, to) => convolution(call, to, null),
  depthwiseConv2d: (call, to) => convolution(call, to, null),
  convTranspose2d: transposedConvolution,
  batchNormInference: foldedNorm,
  standardize,
  mean: reduction("ReduceMean"),
  max: reduction("ReduceMax"),
  averagePool: pool("AveragePool"),
  maxPool: pool("MaxPool"),
  resize,
  gaussianBlur,
  gridSample,
  nearestRowIndices,
  nearestRows,
  maxPositions,
  topKMean,
  l2Norm: ({ inputs: [input] }, to) => plain(to.node("ReduceL2", [to.plain(input!)], { axes: [-1], keepdims: 0 })),
  layerNorm,
  softmax: ({ inputs: [input] }, to) => plain(to.node("Softmax", [to.plain(input!)], { axis: -1 })),
  concat: (call, to) =>
    image(
      to.node(
        "Concat",
        call.inputs.map((input) => to.image(input)),
        { axis: imageAxis(optionsOf<{ axis: number }>(call).axis) },
      ),
    ),
  slice,
  pad,
  transpose,
  broadcastTo,
  gather,
  reshape: ({ inputs: [input], output }, to) =>
    plain(to.node("Reshape", [to.plain(input!), to.wholeNumbers(to.shapeOf(output))])),
  anomalyMap,
};

function elementwise(op: string): Rule {
  return ({ inputs, output }, to) => {
    const isImage = output.shape.length === 4;
    const name = to.node(
      op,
      inputs.map((input) => (isImage ? to.image(input) : to.plain(input))),
    );
    return isImage ? image(name) : plain(name);
  };
}

function matmul(call: Call, to: Conversion): Converted {
  const { activation, transposeA, transposeB } = optionsOf<{
    activation: Activation | null;
    transposeA: boolean;
    transposeB: boolean;
  }>(call);
  const [a, b, bias] = call.inputs as [Tensor, Tensor, Tensor?];
  const operand = (tensor: Tensor, transposed: boolean): string =>
    transposed ? to.node("Transpose", [to.plain(tensor)], { perm: swapped(tensor.shape.length) }) : to.plain(tensor);
  const product = to.node("MatMul", [operand(a, transposeA), operand(b, transposeB)]);
  return plain(activate(activation, bias ? to.node("Add", [product, to.plain(bias)]) : product, to));
}

/** In f32, the mean and the variance one after the other, as in the shader. */
function layerNorm(call: Call, to: Conversion): Converted {
  const [input, affine] = call.inputs as [Tensor, Tensor?];
  const mean = (name: string): string => to.node("ReduceMean", [name], { axes: [-1] });
  const centred = to.node("Sub", [to.plain(input), mean(to.plain(input))]);
  const normed = dividedByRoot(centred, mean(to.node("Mul", [centred, centred])), call, to);
  if (!affine) return plain(normed);
  const [elements, channels] = [to.elementsOf(affine), affine.shape[1]!];
  const row = (at: number): string => to.constant([channels], elements.slice(at * channels, (at + 1) * channels));
  return plain(to.node("Add", [to.node("Mul", [normed, row(0)]), row(1)]));
}

/** The name of values divided by the root of their variance and the op's eps. */
const dividedByRoot = (values: string, variance: string, call: Call, to: Conversion): string =>
  to.node("Div", [
    values,
    to.node("Sqrt", [to.node("Add", [variance, to.number(optionsOf<{ eps: number }>(call).eps)])]),
  ]);

function broadcastTo({ inputs: [input], output }: Call, to: Conversion): Converted {
  return plain(to.node("Expand", [to.plain(input!), extentsOf(output, [...output.shape.keys()], to)]));
}

/** The name of a tensor's extents along axes in some order. Those that depend on the batch are so many for each image. */
function extentsOf(output: Tensor, axes: readonly number[], to: Conversion): string {
  const shape = to.shapeOf(output);
  const fixed = to.wholeNumbers(axes.map((axis) => (shape[axis] === -1 ? 0 : shape[axis]!)));
  if (!shape.includes(-1)) return fixed;
  const ofEach = axes.map((axis) => (shape[axis] === -1 ? output.shape[axis]! : 0)); // listed for one image first
  return to.node("Add", [to.node("Mul", [to.images(), to.wholeNumbers(ofEach)]), fixed]);
}

/** Lists the axes of a tensor with the last two swapped. */
const swapped = (rank: number): number[] => [...Array(rank - 2).keys(), rank - 1, rank - 2];

function standardize(call: Call, to: Conversion): Converted {
  const [input] = call.inputs as [Tensor];
  const [, height, width] = input.shape as [number, number, number];
  const mean = (name: string): string => to.node("ReduceMean", [name], { axes: [2, 3] });
  const centred = to.node("Sub", [to.image(input), mean(to.image(input))]);
  const unbiased = to.number((height * width) / (height * width - 1));
  const variance = to.node("Mul", [mean(to.node("Mul", [centred, centred])), unbiased]);
  return image(dividedByRoot(centred, variance, call, to));
}

function reduction(op: string): Rule {
  return (call, to) => {
    const {
      converted: { name, order },
      axis,
    } = to.natural(call.inputs[0]!);
    return { name: to.node(op, [name], { axes: optionsOf<{ axes: number[] }>(call).axes.map(axis) }), order };
  };
}

function resize(call: Call, to: Conversion): Converted {
  const {
    inputs: [input],
    output,
  } = call;
  const { mode, alignCorners, antialias } = optionsOf<{ mode: string; alignCorners: boolean; antialias: boolean }>(
    call,
  );
  if (mode === "nearest" && alignCorners) return refuse("resizing to the nearest pixel with aligned corners");
  if (antialias) return refuse("resizing with antialiasing");
  const scales = [1, 2].map((axis) => output.shape[axis]! / input!.shape[axis]!);
  const isWhole = scales.every((scale) => Number.isInteger(scale));
  if (mode === "nearest" && !isWhole)
    return refuse(`resizing to the nearest pixel by ${scales.join(" and ")}, which are not whole numbers`);
  const sizes = isWhole
    ? [to.constant([4], Float32Array.of(1, 1, ...scales))]
    : ["", extentsOf(output, [0, 3, 1, 2], to)];
  return image(
    to.node(
      "Resize",
      [to.image(input!), "", ...sizes],
      mode === "nearest"
        ? { mode, coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }
        : { mode: "linear", coordinate_transformation_mode: alignCorners ? "align_corners" : "half_pixel" },
    ),
  );
}

function gridSample(call: Call, to: Conversion): Converted {
  const [input, grid] = call.inputs as [Tensor, Tensor];
  const { mode, paddingMode, alignCorners } = optionsOf<{ mode: string; paddingMode: string; alignCorners: boolean }>(
    call,
  );
  return image(
    to.node("GridSample", [to.image(input), to.plain(grid)], {
      mode,
      padding_mode: paddingMode,
      align_corners: flag(alignCorners),
    }),
  );
}

function slice(call: Call, to: Conversion): Converted {
  const {
    inputs: [input],
    output,
  } = call;
  const { axis, start } = optionsOf<{ axis: number; start: number }>(call);
  const {
    converted: { name, order },
    axis: axisOf,
  } = to.natural(input!);
  const bounds = [[start], [start + output.shape[axis]!], [axisOf(axis)]].map((values) => to.wholeNumbers(values));
  return { name: to.node("Slice", [name, ...bounds]), order };
}

function pad(call: Call, to: Conversion): Converted {
  const { amounts, value } = optionsOf<{ amounts: readonly (readonly [number, number])[]; value: number }>(call);
  const {
    converted: { name, order },
    axis,
  } = to.natural(call.inputs[0]!);
  const pads = new Array<number>(2 * amounts.length);
  amounts.forEach(([before, after], i) => {
    pads[axis(i)] = before;
    pads[amounts.length + axis(i)] = after;
  });
  return { name: to.node("Pad", [name, to.wholeNumbers(pads), to.number(value)]), order };
}

function transpose(call: Call, to: Conversion): Converted {
  const [input] = call.inputs as [Tensor];
  return plain(to.node("Transpose", [to.plain(input)], { perm: optionsOf<{ axes: number[] }>(call).axes }));
}

function gather(call: Call, to: Conversion): Converted {
  const [input, indices] = call.inputs as [Tensor, Tensor];
  const { axis } = optionsOf<{ axis: number }>(call);
  const {
    converted: { name, order },
    axis: axisOf,
  } = to.natural(input);
  const picked = to.callOf(indices) ? to.plain(indices) : to.wholeNumbers([...to.elementsOf(indices)]);
  return { name: to.node("Gather", [name, picked], { axis: axisOf(axis) }), order };
}

/** A pass along either axis: elements beyond the border are gathered, then weighted. */
function gaussianBlur(call: Call, to: Conversion): Converted {
  const {
    inputs: [input],
  } = call;
  const { size, sigma, border } = optionsOf<Required<GaussianBlurOptions>>(call);
  if (border !== "reflect") return refuse(`a blur whose border is ${border}`);
  const channels = input!.shape[3]!;
  const radius = (size - 1) / 2;
  const bell = Array.from({ length: size }, (_, i) => Math.exp(-0.5 * ((i - radius) / sigma) ** 2));
  const sum = bell.reduce((total, weight) => total + weight, 0);
  const taps = Float32Array.from({ length: channels * size }, (_, i) => bell[i % size]! / sum);
  const along = (name: string, axis: 2 | 3): string => {
    const extent = input!.shape[axis - 1]!;
    const places = Array.from({ length: extent + 2 * radius }, (_, i) => mirrored(i - radius, extent));
    const wide = to.node("Gather", [name, to.wholeNumbers(places)], { axis });
    const window = axis === 2 ? [size, 1] : [1, size];
    return to.node("Conv", [wide, to.constant([channels, 1, ...window], taps)], {
      kernel_shape: window,
      group: channels,
    });
  };
  return image(along(along(to.image(input!), 3), 2));
}

/**
 * Index of the element that a position beyond the border reads: mirrored about the outermost ones, repeatedly if
 * needed.
 */
function mirrored(at: number, extent: number): number {
  const period = Math.max(2 * (extent - 1), 1);
  const within = Math.abs(at) % period;
  return Math.min(within, period - within);
}

/**
 * Rows nearest to each query, by |m|^2 - 2 x.m, which differs from |x - m|^2 by a constant for each query x. Both are
 * taken relative to the rows' mean, to reduce cancellation.
 */
function nearestRowIndices(call: Call, to: Conversion): Converted {
  const [queries, rows] = call.inputs as [Tensor, Tensor];
  const elements = to.elementsOf(rows);
  const [count, channels] = rows.shape as [number, number];
  const mean = Float32Array.from({ length: channels }, (_, c) => {
    let total = 0;
    for (let row = 0; row < count; row++) total += elements[row * channels + c]!;
    return total / count;
  });
  const centre = to.constant([channels], mean);
  const centred = to.node("Sub", [to.plain(rows), centre]);
  const doubled = to.node("Mul", [to.node("Sub", [to.plain(queries), centre]), to.number(-2)]);
  const products = to.node("MatMul", [doubled, to.node("Transpose", [centred], { perm: [1, 0] })]);
  const distances = to.node("Add", [products, to.node("ReduceSumSquare", [centred], { axes: [-1], keepdims: 0 })]);
  const { k } = optionsOf<{ k: number }>(call);
  return plain(
    k === 1
      ? to.node("ArgMin", [distances], { axis: -1 })
      : to.nodeOfTwo("TopK", [distances, to.wholeNumbers([k])], { axis: -1, largest: 0 })[1],
  );
}

/** Squared distances to the rows found, as sums of squared differences. */
function nearestRows({ inputs }: Call, to: Conversion): Converted {
  const [queries, rows, indices] = inputs as [Tensor, Tensor, Tensor];
  const found = to.node("Gather", [to.plain(rows), to.plain(indices)], { axis: 0 });
  const offsets = to.node("Sub", [to.node("Unsqueeze", [to.plain(queries), to.wholeNumbers([-2])]), found]);
  return plain(to.node("ReduceSumSquare", [offsets], { axes: [-1], keepdims: 0 }));
}

/** The mean of each row's largest values. */
function topKMean(call: Call, to: Conversion): Converted {
  const { k } = optionsOf<{ k: number }>(call);
  const [values] = to.nodeOfTwo("TopK", [to.plain(call.inputs[0]!), to.wholeNumbers([k])], { axis: -1 });
  return plain(to.node("ReduceMean", [values], { axes: [-1], keepdims: 0 }));
}

/** The position within each row, plus the start of the row. */
function maxPositions({ inputs: [input] }: Call, to: Conversion): Converted {
  const [, extent] = input!.shape as [number, number];
  if (input!.shape.length !== 2) return refuse("positions of maxima of a tensor without exactly two axes");
  const inRow = to.node("ArgMax", [to.plain(input!)], { axis: -1, keepdims: 0 });
  const whole = (value: number): string => to.constant([], BigInt64Array.of(BigInt(value)));
  const rows = to.node("Squeeze", [to.node("Shape", [inRow])]);
  const starts = to.node("Mul", [to.node("Range", [whole(0), rows, whole(1)]), whole(extent)]);
  return plain(to.node("Add", [inRow, starts]));
}

/** (1 - s) |r - a| with s = 0.3 [mse <= threshold] + 0.7 cosine, as in the shader; norms of at least 1e-8. */
function anomalyMap(call: Call, to: Conversion): Converted {
  const [target, reconstruction] = call.inputs as [Tensor, Tensor];
  const [a, r] = [to.image(target), to.image(reconstruction)];
  const overChannels = { axes: [1], keepdims: 0 };
  const distance = to.node("Sub", [r, a]);
  const mse = to.node("ReduceMean", [to.node("Mul", [distance, distance])], overChannels);
  const length = (name: string): string => to.node("Max", [to.node("ReduceL2", [name], overChannels), to.number(1e-8)]);
  const product = to.node("ReduceSum", [to.node("Mul", [a, r]), to.wholeNumbers([1])], { keepdims: 0 });
  const cosine = to.node("Div", [product, to.node("Mul", [length(a), length(r)])]);
  const threshold = to.number(optionsOf<{ threshold: number }>(call).threshold);
  const similar = to.node("Mul", [
    to.node("Cast", [to.node("LessOrEqual", [mse, threshold])], { to: DTYPES.FLOAT }),
    to.number(0.3),
  ]);
  const s = to.node("Add", [similar, to.node("Mul", [cosine, to.number(0.7)])]);
  return plain(to.node("Mul", [to.node("Sub", [to.number(1), s]), to.node("ReduceL2", [distance], overChannels)]));
}
