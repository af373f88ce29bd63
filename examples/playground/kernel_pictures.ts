// A picture of each kernel: what it makes of a photograph, with its parameters as controls.
import {
  activation,
  add,
  anomalyMap,
  averagePool,
  batchNorm,
  cast,
  conv2d,
  cosineSimilarity,
  depthwiseConv2d,
  divide,
  drawPairs,
  dropout,
  exclusiveScan,
  farthestPoints,
  featureBlockPaste,
  fromArray,
  gather,
  gaussianBlur,
  valueAndGradients,
  gridSample,
  histogram,
  hingeLoss,
  layerNorm,
  matmul,
  maximum,
  maxPool,
  mean,
  minimum,
  mseLoss,
  multiply,
  nearestRows,
  normal,
  requireGrad,
  reshape,
  resize,
  Sgd,
  softmax,
  subtract,
  topKMean,
  toArray,
  transpose,
  uniform,
  type ActivationName,
  type Tensor,
} from "../../src/index.ts";
import { TILES } from "../../src/kernels/products/forms.ts";
import { matmulForward } from "../../src/kernels/products/matmul.ts";
import { MATRIX_FORMS } from "../../src/kernels/products/subgroup.ts";
import { conv2dForward } from "../../src/kernels/conv2d.ts";
import { WINOGRAD } from "../../src/kernels/winograd.ts";
import { perlinMask } from "../../src/ops/perlin_mask.ts";
import { randomSets } from "../../src/ops/random_sets.ts";
import { SIDE, type Control, type Values } from "./kernels_protocol.ts";

/** The output of a kernel: 1 or 3 channels, and the values that are drawn black and white. */
export interface Shown {
  /** `[1, H, W, 1 or 3]` */
  readonly tensor: Tensor;
  readonly black: number;
  readonly white: number;
}

interface KernelPicture {
  /** Name of the file below shaders/, without its ending. */
  readonly shader: string;
  readonly controls: readonly Control[];
  /** @param photo `[1, SIDE, SIDE, 3]`, f32, in [0, 1] */
  readonly make: (photo: Tensor, values: Values) => Shown | Promise<Shown>;
}

const range = (name: string, min: number, max: number, step: number, value: number): Control => ({
  name,
  min,
  max,
  step,
  value,
});
const choice = (name: string, ...choices: [string, ...string[]]): Control => ({ name, choices, value: choices[0] });
const number = (values: Values, name: string): number => values[name] as number;
const word = <T extends string>(values: Values, name: string): T => values[name] as T;

const shown = (tensor: Tensor, black = 0, white = 1): Shown => ({ tensor, black, white });
const constant = ({ device }: Tensor, shape: readonly number[], values: ArrayLike<number>): Tensor =>
  fromArray(device, shape, Float32Array.from(values));
const scalar = (like: Tensor, value: number): Tensor => constant(like, [1], [value]);
const grey = (photo: Tensor): Tensor => mean(photo, [3]);
/**
 * A bar chart of numbers: `[count]` -> `[1, SIDE, count, 1]`, 1 up to each number's share of the largest.
 */
async function bars(counts: Tensor): Promise<Shown> {
  const values = await toArray(counts);
  const largest = values.reduce((a, b) => Math.max(a, b), 1e-9);
  const lit = Float32Array.from({ length: SIDE * values.length }, (_, i) =>
    Number(1 - Math.floor(i / values.length) / SIDE <= values[i % values.length]! / largest),
  );
  return shown(fromArray(counts.device, [1, SIDE, values.length, 1], lit));
}

const EDGES: Readonly<Record<string, readonly number[]>> = {
  "Sobel, across": [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  "Sobel, down": [-1, -2, -1, 0, 0, 0, 1, 2, 1],
  Laplace: [0, 1, 0, 1, -4, 1, 0, 1, 0],
  emboss: [-2, -1, 0, -1, 0, 1, 0, 1, 2],
};
const FUNCTIONS: readonly [ActivationName, ...ActivationName[]] = [
  "hswish",
  "relu",
  "relu6",
  "leakyRelu",
  "hsigmoid",
  "sigmoid",
  "silu",
  "tanh",
  "gelu",
  "abs",
  "square",
];
const SEED = range("seed", 0, 20, 1, 5);
const DRAW = (values: Values) => ({ seed: number(values, "seed"), stream: 1, step: 0 });

/** A grid that turns a picture about its middle and scales it: each output pixel's place in the input, in [-1, 1]. */
function turned(like: Tensor, degrees: number, zoom: number): Tensor {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180) / zoom, Math.sin((degrees * Math.PI) / 180) / zoom];
  const at = (i: number): number => (2 * i + 1) / SIDE - 1;
  const grid = new Float32Array(SIDE * SIDE * 2);
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [x, y] = [at(i % SIDE), at(Math.floor(i / SIDE))];
    grid.set([cos * x - sin * y, sin * x + cos * y], 2 * i);
  }
  return fromArray(like.device, [1, SIDE, SIDE, 2], grid);
}

/** Blurs columns of pixels by a product with a matrix that averages neighbours. */
function blurredDown(photo: Tensor, reach: number, product: (weights: Tensor, pixels: Tensor) => Tensor): Shown {
  const weights = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    const count = Math.min(SIDE - 1, row + reach) - Math.max(0, row - reach) + 1;
    return Math.abs(row - column) <= reach ? 1 / count : 0;
  });
  return shown(
    reshape(product(constant(photo, [1, SIDE, SIDE], weights), reshape(photo, [1, SIDE, 3 * SIDE])), photo.shape),
  );
}

/** The photograph with each pixel's colour replaced by the nearest of some of its own, by index. */
function painted(photo: Tensor, colours: Tensor): Shown {
  const pixels = reshape(photo, [SIDE * SIDE, 3]);
  const palette = gather(pixels, colours);
  const { indices } = nearestRows(pixels, palette, 1);
  return shown(reshape(gather(palette, reshape(indices, [SIDE * SIDE])), photo.shape));
}

export const KERNEL_PICTURES: readonly KernelPicture[] = [
  {
    shader: "activation",
    controls: [choice("function", ...FUNCTIONS), range("scale", 1, 12, 0.5, 6)],
    make: (photo, values) => {
      const scale = number(values, "scale"); // light becomes -scale/2 .. scale/2
      return shown(
        activation(multiply(subtract(photo, scalar(photo, 0.5)), scalar(photo, scale)), word(values, "function")),
        -scale / 2,
        scale / 2,
      );
    },
  },
  {
    shader: "batch_norm",
    controls: [range("contrast", 0.05, 0.6, 0.05, 0.25), range("brightness", 0, 1, 0.05, 0.5)],
    make: (photo, values) => {
      const [scale, shift] = [number(values, "contrast"), number(values, "brightness")];
      const affine = constant(photo, [2, 3], [scale, scale, scale, shift, shift, shift]);
      return shown(batchNorm(photo, affine, constant(photo, [2, 3], [0, 0, 0, 1, 1, 1])));
    },
  },
  {
    shader: "bucket",
    controls: [range("rows moved", 1, 96, 1, 7)],
    make: (photo, values) => {
      // Gathering rows, and its gradient: each row of the input is given what was taken from it, found by bucket.
      const by = number(values, "rows moved");
      const rows = reshape(photo, [SIDE, SIDE * 3]);
      const picked = fromArray(
        photo.device,
        [SIDE],
        Uint32Array.from({ length: SIDE }, (_, i) => (Math.floor(i / by) * by) % SIDE),
      );
      const leaf = requireGrad(rows);
      const { grads } = valueAndGradients(() => [mean(multiply(gather(leaf, picked), rows), [0, 1])], [leaf]);
      return shown(reshape(multiply(grads[0]!, scalar(photo, (SIDE * SIDE * 3) / by)), [1, SIDE, SIDE, 3]));
    },
  },
  {
    shader: "cast",
    controls: [range("levels", 1, 16, 1, 4)],
    make: (photo, values) => {
      const levels = scalar(photo, number(values, "levels")); // whole numbers of them, cut towards zero
      return shown(divide(cast(cast(multiply(photo, levels), "u32"), "f32"), levels));
    },
  },
  {
    shader: "conv2d",
    controls: [
      choice("filter", ...(Object.keys(EDGES) as [string, ...string[]])),
      range("dilation", 1, 6, 1, 1),
      range("stride", 1, 4, 1, 1),
    ],
    make: (photo, values) => {
      const taps = EDGES[word(values, "filter")]!;
      const weight = constant(
        photo,
        [3, 3, 3, 1],
        taps.flatMap((tap) => [tap / 3, tap / 3, tap / 3]),
      );
      const dilation = number(values, "dilation");
      return shown(conv2d(photo, weight, { padding: dilation, dilation, stride: number(values, "stride") }), -1, 1);
    },
  },
  {
    shader: "copy",
    controls: [choice("order", "turned about the diagonal", "as it is")],
    make: (photo, values) =>
      shown(transpose(photo, word(values, "order") === "as it is" ? [0, 1, 2, 3] : [0, 2, 1, 3])),
  },
  {
    shader: "depthwise_conv2d",
    controls: [range("red's dilation", 1, 9, 1, 4)],
    make: (photo, values) => {
      const dilation = number(values, "red's dilation");
      const ninth = 1 / 9;
      return shown(
        depthwiseConv2d(photo, constant(photo, [3, 3, 3], Array<number>(27).fill(ninth)), {
          padding: dilation,
          dilation,
        }),
      );
    },
  },
  {
    shader: "dropout",
    controls: [range("rate", 0, 0.9, 0.1, 0.5), SEED],
    make: (photo, values) => shown(dropout(photo, DRAW(values), { probability: number(values, "rate") })),
  },
  {
    shader: "elementwise",
    controls: [choice("function", "multiply", "add", "subtract", "maximum", "minimum"), range("with", 0, 1, 0.05, 0.5)],
    make: (photo, values) => {
      const functions = { multiply, add, subtract, maximum, minimum };
      return shown(
        functions[word<keyof typeof functions>(values, "function")](photo, scalar(photo, number(values, "with"))),
      );
    },
  },
  {
    shader: "farthest_point",
    controls: [range("colours", 1, 64, 1, 8)],
    make: (photo, values) =>
      painted(photo, farthestPoints(reshape(photo, [SIDE * SIDE, 3]), number(values, "colours"))),
  },
  {
    shader: "feature_block_paste",
    controls: [SEED, range("window", 1, 60, 1, 30), range("steps", 50, 4000, 50, 2000)],
    make: (photo, values) => {
      const { features } = featureBlockPaste(photo, DRAW(values), {
        maxHalfSide: number(values, "window"),
        intensity: [0.5, 0.5],
        steps: number(values, "steps"),
      });
      return shown(features);
    },
  },
  {
    shader: "gather",
    controls: [range("every", 1, 24, 1, 8)],
    make: (photo, values) => {
      const every = number(values, "every");
      const picked = Uint32Array.from({ length: SIDE }, (_, i) => Math.floor(i / every) * every);
      return shown(
        reshape(gather(reshape(photo, [SIDE, SIDE * 3]), fromArray(photo.device, [SIDE], picked)), [1, SIDE, SIDE, 3]),
      );
    },
  },
  {
    shader: "gaussian_blur",
    controls: [range("sigma", 0.5, 12, 0.5, 4), choice("border", "reflect", "zeros")],
    make: (photo, values) => {
      const sigma = number(values, "sigma");
      return shown(gaussianBlur(photo, { size: 2 * Math.ceil(3 * sigma) + 1, sigma, border: word(values, "border") }));
    },
  },
  {
    shader: "grid_sample",
    controls: [
      range("degrees", -180, 180, 5, 30),
      range("zoom", 0.5, 3, 0.1, 1),
      choice("paddingMode", "zeros", "border", "reflection"),
      choice("mode", "bilinear", "nearest"),
    ],
    make: (photo, values) =>
      shown(
        gridSample(photo, turned(photo, number(values, "degrees"), number(values, "zoom")), {
          paddingMode: word(values, "paddingMode"),
          mode: word(values, "mode"),
        }),
      ),
  },
  {
    shader: "hinge_loss",
    controls: [range("threshold", 0, 0.5, 0.05, 0.2)],
    make: (photo, values) => {
      // Light pixels should score high, dark ones low: the loss of each, with the picture's own light as its score.
      const scores = reshape(subtract(grey(photo), scalar(photo, 0.5)), [1, SIDE, SIDE]);
      const mask = activation(multiply(scores, scalar(photo, 1e6)), "hsigmoid");
      const { loss } = hingeLoss(scores, mask, { threshold: number(values, "threshold"), reduction: "none" });
      return shown(reshape(loss, [1, SIDE, SIDE, 1]), 0, 0.5);
    },
  },
  {
    shader: "histogram",
    controls: [range("bins", 8, 192, 8, 96)],
    make: async (photo, values) => bars(histogram(photo, { bins: number(values, "bins"), low: 0, high: 1 })),
  },
  {
    shader: "image",
    controls: [range("side", 8, 192, 8, 24)],
    make: (photo, values) => {
      const side = number(values, "side");
      return shown(resize(photo, [side, side], { antialias: true }));
    },
  },
  {
    shader: "layer_norm",
    controls: [range("eps", 0.0001, 0.02, 0.0001, 0.001)],
    make: (photo, values) => shown(layerNorm(photo, null, { eps: number(values, "eps") }), -1.5, 1.5),
  },
  {
    shader: "matmul",
    controls: [range("hue", -180, 180, 10, 120)],
    make: (photo, values) => {
      // A turn of colours about grey, as a product with a 3 x 3 matrix.
      const angle = (number(values, "hue") * Math.PI) / 180;
      const [cos, root] = [Math.cos(angle), Math.sin(angle) / Math.sqrt(3)];
      const part = (1 - cos) / 3;
      const [a, b, c] = [cos + part, part + root, part - root];
      return shown(
        reshape(matmul(reshape(photo, [1, SIDE * SIDE, 3]), constant(photo, [1, 3, 3], [a, b, c, c, a, b, b, c, a])), [
          1,
          SIDE,
          SIDE,
          3,
        ]),
      );
    },
  },
  {
    shader: "mse_loss",
    controls: [range("sigma", 0.5, 6, 0.5, 2)],
    make: (photo, values) => {
      const blurred = gaussianBlur(photo, { size: 31, sigma: number(values, "sigma") });
      return shown(mseLoss(photo, blurred, { reduction: "none" }), 0, 0.02);
    },
  },
  {
    shader: "nearest_rows",
    controls: [range("colours", 1, 64, 1, 8)],
    make: (photo, values) => {
      // Of pixels evenly spread over the photograph: farthest_point chooses better ones.
      const count = number(values, "colours");
      const spread = Uint32Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * SIDE * SIDE) / count));
      return painted(photo, fromArray(photo.device, [count], spread));
    },
  },
  {
    shader: "optimizer",
    controls: [range("steps", 0, 40, 1, 8), range("learning rate", 0.05, 1, 0.05, 0.25)],
    make: (photo, values) => {
      // Grey paint that learns the picture by gradient descent on the squared error.
      const paint = requireGrad(constant(photo, photo.shape, new Float32Array(SIDE * SIDE * 3).fill(0.5)));
      const optimizer = new Sgd([
        { parameters: [paint], learningRate: (number(values, "learning rate") * SIDE * SIDE * 3) / 2 },
      ]);
      for (let i = 0; i < number(values, "steps"); i++) {
        using _scope = photo.device.scope();
        optimizer.step(valueAndGradients(() => [mseLoss(paint, photo)], [paint]).grads);
      }
      optimizer.release();
      return shown(paint);
    },
  },
  {
    shader: "pairs",
    controls: [range("count", 10, 2000, 10, 400), SEED],
    make: async (photo, values) => {
      // Light pixels are marked; the pixels of the pairs that were drawn are lit, on the picture's own light.
      const light = grey(photo);
      const mask = activation(multiply(subtract(light, scalar(photo, 0.6)), scalar(photo, 1e6)), "hsigmoid");
      const { pairs } = drawPairs(mask, number(values, "count"), DRAW(values));
      const levels = (await toArray(light)).map((level) => 0.5 * level);
      for (const at of await toArray(pairs)) if (at < levels.length) levels[at] = 1;
      return shown(fromArray(photo.device, [1, SIDE, SIDE, 1], levels));
    },
  },
  {
    shader: "perlin_mask",
    controls: [SEED, range("threshold", -0.4, 0.6, 0.05, 0.1)],
    make: (photo, values) => {
      const options = { threshold: number(values, "threshold"), cleanShare: 0 };
      const marks = perlinMask(photo.device, [1, SIDE, SIDE], DRAW(values), options);
      return shown(multiply(photo, reshape(marks, [1, SIDE, SIDE, 1])));
    },
  },
  {
    shader: "pool",
    controls: [choice("pool", "average", "maximum"), range("window", 1, 31, 2, 9), range("stride", 1, 12, 1, 1)],
    make: (photo, values) => {
      const [window, stride] = [number(values, "window"), number(values, "stride")];
      const padding = (window - 1) / 2;
      return shown(
        word(values, "pool") === "average"
          ? averagePool(photo, window, { stride, padding, countIncludePad: false })
          : maxPool(photo, window, { stride, padding }),
      );
    },
  },
  {
    shader: "random",
    controls: [choice("numbers", "normal", "uniform"), SEED],
    make: ({ device, shape }, values) =>
      word(values, "numbers") === "normal"
        ? shown(normal(device, shape, DRAW(values)), -3, 3)
        : shown(uniform(device, shape, DRAW(values))),
  },
  {
    shader: "random_sets",
    controls: [range("cells", 8, 64, 8, 24), range("sets", 1, 6, 1, 3), SEED],
    make: (photo, values) => {
      // One set of squares is hidden, as RIAD hides it.
      const cells = number(values, "cells");
      const sets = randomSets(photo.device, [1, cells, cells, 1], number(values, "sets"), DRAW(values));
      const isShown = minimum(sets, scalar(photo, 1));
      return shown(multiply(photo, resize(isShown, [SIDE, SIDE], { mode: "nearest" })));
    },
  },
  {
    shader: "reconstruction_loss",
    controls: [range("sigma", 0.5, 8, 0.5, 3), range("threshold", 0.001, 0.05, 0.001, 0.01)],
    make: (photo, values) => {
      // The anomaly map of a picture whose reconstruction is its blur: what is fine is what cannot be reconstructed.
      const blurred = gaussianBlur(photo, { size: 49, sigma: number(values, "sigma") });
      return shown(
        reshape(anomalyMap(photo, blurred, { threshold: number(values, "threshold") }), [1, SIDE, SIDE, 1]),
        0,
        0.1,
      );
    },
  },
  {
    shader: "reduce",
    controls: [choice("axis", "rows", "columns")],
    make: (photo, values) => {
      const along = mean(photo, [word(values, "axis") === "rows" ? 2 : 1]);
      return shown(resize(along, [SIDE, SIDE], { mode: "nearest" }));
    },
  },
  {
    shader: "resize",
    controls: [
      range("side", 8, 192, 8, 24),
      choice("mode", "bilinear", "nearest"),
      choice("alignCorners", "false", "true"),
    ],
    make: (photo, values) => {
      const small = resize(photo, [number(values, "side"), number(values, "side")], { antialias: true });
      return shown(
        resize(small, [SIDE, SIDE], {
          mode: word(values, "mode"),
          ...(word(values, "mode") === "bilinear" && { alignCorners: word(values, "alignCorners") === "true" }),
        }),
      );
    },
  },
  {
    shader: "row_products",
    controls: [range("red", 0, 1, 0.1, 1), range("green", 0, 1, 0.1, 0.3), range("blue", 0, 1, 0.1, 0.1)],
    make: (photo, values) => {
      const colour = constant(
        photo,
        [1, 1, 1, 3],
        ["red", "green", "blue"].map((name) => number(values, name)),
      );
      const everywhere = multiply(add(multiply(photo, scalar(photo, 0)), scalar(photo, 1)), colour);
      return shown(reshape(cosineSimilarity(photo, everywhere), [1, SIDE, SIDE, 1]), 0.7, 1);
    },
  },
  {
    shader: "scan",
    controls: [range("bins", 8, 192, 8, 96)],
    make: async (photo, values) =>
      bars(exclusiveScan(histogram(photo, { bins: number(values, "bins"), low: 0, high: 1 }))),
  },
  {
    shader: "softmax",
    controls: [range("sharpness", 1, 60, 1, 20)],
    make: (photo, values) => shown(softmax(multiply(photo, scalar(photo, number(values, "sharpness"))))),
  },
  {
    shader: "subgroup_product",
    controls: [range("reach", 0, 40, 1, 12)],
    make: (photo, values) =>
      blurredDown(photo, number(values, "reach"), (weights, pixels) => {
        // by another form, where this one cannot run
        const { adapter, gpu } = photo.device;
        if (!adapter.matrices || !gpu.features.has("shader-f16")) return matmul(weights, pixels);
        return cast(matmulForward(cast(weights, "f16"), cast(pixels, "f16"), {}, {}, MATRIX_FORMS[0]), "f32");
      }),
  },
  {
    shader: "tiled_product",
    controls: [range("reach", 0, 40, 1, 12), choice("form", ...(Object.keys(TILES) as [string, ...string[]]))],
    make: (photo, values) =>
      blurredDown(photo, number(values, "reach"), (weights, pixels) =>
        matmulForward(weights, pixels, {}, {}, word(values, "form")),
      ),
  },
  {
    shader: "top_k_mean",
    controls: [range("k", 1, 192, 1, 20)],
    make: (photo, values) => {
      const means = topKMean(reshape(grey(photo), [SIDE, SIDE]), number(values, "k"));
      return shown(resize(reshape(means, [1, SIDE, 1, 1]), [SIDE, SIDE], { mode: "nearest" }));
    },
  },
  {
    shader: "winograd",
    controls: [choice("filter", ...(Object.keys(EDGES) as [string, ...string[]])), range("strength", 1, 8, 1, 3)],
    make: (photo, values) => {
      const taps = EDGES[word(values, "filter")]!.map((tap) => (tap * number(values, "strength")) / 8);
      const weight = constant(
        photo,
        [3, 3, 3, 1],
        taps.flatMap((tap) => [tap, tap, tap]),
      );
      return shown(conv2dForward(photo, weight, {}, { padding: 1 }, WINOGRAD), -1, 1);
    },
  },
];
