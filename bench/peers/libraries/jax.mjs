// jax-js, each function compiled as a whole by `jit`. Channels come first. Gradients are computed without the
// function's value, so that the compiler may drop the forward pass; with `value` both are computed, as in training. It
// has no grid_sample: a product with the matrix of sample weights, which is faster than gathers, replaces it.
import "../dawn.mjs";
import { readFileSync } from "node:fs";
import { blockUntilReady, defaultDevice, grad, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { cornersOf } from "../corners.mjs";
import { weightFirst, weightLast, toChannelsFirst, toChannelsLast, windowFirst, windowLast } from "../layouts.mjs";

const { version } = JSON.parse(
  readFileSync(new URL("../node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"),
);
const array = ({ shape, data }) => np.array(data).reshape(shape);
const same = (x) => x;

/** Conversions of inputs and outputs to and from jax-js. */
const LAYOUTS = {
  plain: { to: same, from: same },
  image: { to: toChannelsFirst, from: toChannelsLast },
  weight: { to: weightFirst, from: weightLast },
  window: { to: windowFirst, from: windowLast },
};
const PADDED = [
  [1, 1],
  [1, 1],
];
const BARE = [
  [0, 0],
  [0, 0],
];
const convolved = (x, weight, padding, groups = 1) =>
  lax.convGeneralDilated(x, weight, [1, 1], padding, { featureGroupCount: groups });

/** Reads arrays together with their shapes. */
const read = (arrays) =>
  Promise.all(
    arrays.map(async (result) => {
      const { shape } = result;
      return { shape, data: await result.data() };
    }),
  );
/** Results in the named layouts, for comparison. */
const outputsIn = (layouts) => (results) => results.map((result, i) => LAYOUTS[layouts[i]].from(result).data);

/** A function of arrays with its inputs' layouts and its output's, and the same with gradients. */
function both(name, f, names, layouts, layout, value) {
  const load = (inputs, which) => which.map((key, i) => array(LAYOUTS[[...layouts, layout][i]].to(inputs[key])));
  const forward = async (inputs) => {
    const [given, compiled] = [load(inputs, names), jit(f)];
    return { run: () => read([compiled(...given.map((x) => x.ref))]), outputs: outputsIn([layout]) };
  };
  const backward = async (inputs) => {
    const given = load(inputs, [...names, "gradOutput"]);
    const weighted = (...values) => np.sum(f(...values.slice(0, -1)).mul(values.at(-1)));
    const argnums = names.map((_, i) => i);
    const compiled = jit((value ? valueAndGrad : grad)(weighted, { argnums }));
    const run = async () => {
      const results = [compiled(...given.map((x) => x.ref))].flat(2);
      return (await read(results)).slice(value ? 1 : 0);
    };
    return { run, outputs: outputsIn(layouts) };
  };
  return { [name]: forward, [`${name}${names.length > 1 ? "Gradients" : "Gradient"}`]: backward };
}

/** The sampling of a grid as a matrix of pixels by samples. */
function samplingOf({ image, grid }) {
  const [, height, width] = image.shape;
  const samples = grid.data.length / 2;
  const weights = new Float32Array(height * width * samples);
  for (const corner of cornersOf(grid.data, height, width)) {
    corner.places.forEach((place, i) => (weights[place * samples + i] += corner.weights[i]));
  }
  return array({ shape: [height * width, samples], data: weights });
}

function sampling(value) {
  const prepared = (part) => async (inputs) => {
    const [
      matrix,
      {
        shape: [, height, width, channels],
      },
    ] = [samplingOf(inputs), inputs.image];
    const [, rows, columns] = inputs.grid.shape;
    const sample = (image) =>
      np.matmul(image.reshape([channels, height * width]), matrix.ref).reshape([1, channels, rows, columns]);
    return both("gridSample", sample, ["image"], ["image"], "image", value)[part](inputs);
  };
  return { gridSample: prepared("gridSample"), gridSampleGradient: prepared("gridSampleGradient") };
}

/** Parameters in jax-js's layouts; a norm's weight and bias are separate. */
function bottleneckParameters(parameters) {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, input]) => {
      const { shape, data } = input;
      if (name.endsWith("Norm"))
        return [name, { weight: np.array(data.slice(0, shape[1])), bias: np.array(data.slice(shape[1])) }];
      if (name === "depthwise") return [name, array(windowFirst(input))];
      if (name === "expand" || name === "project") return [name, array(weightFirst({ shape: [1, 1, ...shape], data }))];
      return [name, array(input)];
    }),
  );
}

/** A parameter in its original layout. */
async function bottleneckParameter([name, parameter]) {
  if (parameter.weight)
    return Float32Array.from([...(await parameter.weight.ref.data()), ...(await parameter.bias.ref.data())]);
  const { shape } = parameter;
  const data = await parameter.ref.data();
  return name === "depthwise"
    ? windowLast({ shape, data }).data
    : shape.length === 4
      ? weightLast({ shape, data }).data
      : data;
}

const hsigmoid = (x) => np.clip(x.add(3), 0, 6).mul(1 / 6);
const hswish = (x) => x.ref.mul(hsigmoid(x));

const bottleneck =
  (normEps, [channels, expanded]) =>
  (parameters, image, target) => {
    const norm = (x, { weight, bias }, count) => {
      const centred = x.ref.sub(np.mean(x, [2, 3], { keepdims: true }));
      const variance = np.mean(centred.ref.mul(centred.ref), [2, 3], { keepdims: true });
      const each = [1, count, 1, 1];
      return centred
        .div(np.sqrt(variance.add(normEps)))
        .mul(weight.reshape(each))
        .add(bias.reshape(each));
    };
    let h = hswish(norm(convolved(image.ref, parameters.expand, BARE), parameters.expandNorm, expanded));
    h = hswish(norm(convolved(h, parameters.depthwise, PADDED, expanded), parameters.depthwiseNorm, expanded));
    const squeezed = nn.relu(np.matmul(np.mean(h.ref, [2, 3]), parameters.reduce).add(parameters.reduceBias));
    const gate = hsigmoid(np.matmul(squeezed, parameters.excite).add(parameters.exciteBias));
    h = h.mul(gate.reshape([1, expanded, 1, 1]));
    const error = image.add(norm(convolved(h, parameters.project, BARE), parameters.projectNorm, channels)).sub(target);
    return np.mean(error.ref.mul(error));
  };

const casesOf = (value) => ({
  ...both("matmul", (a, b) => np.matmul(a, b), ["a", "b"], ["plain", "plain"], "plain", value),
  ...both(
    "pointwise",
    (image, weight) => convolved(image, weight, BARE),
    ["image", "weight"],
    ["image", "weight"],
    "image",
    value,
  ),
  ...both(
    "conv3x3",
    (image, weight) => convolved(image, weight, PADDED),
    ["image", "weight"],
    ["image", "weight"],
    "image",
    value,
  ),
  ...both(
    "depthwise",
    (image, weight) => convolved(image, weight, PADDED, weight.shape[0]),
    ["image", "weight"],
    ["image", "window"],
    "image",
    value,
  ),
  ...sampling(value),
  blur: async ({ image }, { taps }) => {
    const [given, channels, radius] = [array(toChannelsFirst(image)), image.shape[3], (taps.length - 1) / 2];
    const weights = Float32Array.from({ length: channels * taps.length }, (_, i) => taps[i % taps.length]);
    const [down, across] = [
      [taps.length, 1],
      [1, taps.length],
    ].map((window) => array({ shape: [channels, 1, ...window], data: weights }));
    const reach = [radius, radius];
    const blurred = jit((x, v, h) =>
      convolved(convolved(x, v, [reach, [0, 0]], channels), h, [[0, 0], reach], channels),
    );
    return { run: () => read([blurred(given.ref, down.ref, across.ref)]), outputs: outputsIn(["image"]) };
  },
  bottleneck: async ({ image, target, ...parameters }, { normEps }) => {
    const [x, y, given] = [
      array(toChannelsFirst(image)),
      array(toChannelsFirst(target)),
      bottleneckParameters(parameters),
    ];
    const compiled = jit(bottleneck(normEps, parameters.expand.shape));
    return { run: () => read([compiled(tree.ref(given), x.ref, y.ref)]), outputs: outputsIn(["plain"]) };
  },
  bottleneckStep: async ({ image, target, ...parameters }, { normEps, learningRate }) => {
    const [x, y] = [array(toChannelsFirst(image)), array(toChannelsFirst(target))];
    let trained = bottleneckParameters(parameters);
    const withGradients = valueAndGrad(bottleneck(normEps, parameters.expand.shape));
    const step = jit((given, x, y) => {
      const [loss, gradients] = withGradients(tree.ref(given), x, y);
      return [loss, tree.map((parameter, gradient) => parameter.sub(gradient.mul(learningRate)), given, gradients)];
    });
    const run = async () => {
      const [loss, next] = step(trained, x.ref, y.ref);
      trained = next;
      const data = await loss.data();
      await blockUntilReady(trained);
      return [data];
    };
    return {
      run,
      outputs: async ([loss]) => [loss, ...(await Promise.all(Object.entries(trained).map(bottleneckParameter)))],
    };
  },
  smallOperations: async ({ a, b }, { count }) => {
    const [first, second] = [array(a), array(b)];
    const chain = (x, y) => {
      // not compiled: jit overflows the stack over so many
      for (let i = 0; i < count; i++) x = x.add(y.ref);
      y.dispose();
      return x;
    };
    return { run: () => read([chain(first.ref, second.ref)]), outputs: outputsIn(["plain"]) };
  },
});

export async function open({ value = false }) {
  await init();
  defaultDevice("webgpu");
  const cases = casesOf(value);
  return {
    version,
    cases: value ? Object.fromEntries(Object.entries(cases).filter(([name]) => /Gradients?$/.test(name))) : cases,
  };
}
