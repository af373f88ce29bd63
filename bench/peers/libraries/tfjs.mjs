// TensorFlow.js on its WebGPU backend. It has no grid_sample: four weighted gathers replace it.
import "../dawn.mjs";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { cornersOf } from "../corners.mjs";

const tensor = ({ shape, data }) => tf.tensor(data, shape, "float32");
const tensors = (inputs) => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, tensor(input)]));

async function read(results) {
  const data = await Promise.all(results.map((result) => result.data()));
  results.forEach((result) => result.dispose());
  return data;
}

const forward = (f) => async (inputs) => {
  const given = tensors(inputs);
  return { run: () => read([tf.tidy(() => f(given))]) };
};
const backward = (f, names) => async (inputs) => {
  const { gradOutput, ...given } = tensors(inputs);
  const gradients = tf.grads((...values) =>
    f({ ...given, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) }),
  );
  return {
    run: () =>
      read(
        tf.tidy(() =>
          gradients(
            names.map((name) => given[name]),
            gradOutput,
          ),
        ),
      ),
  };
};
const both = (name, f, names) => ({ [name]: forward(f), [`${name}Gradients`]: backward(f, names) });

const window = (weight) => tf.reshape(weight, [...weight.shape, 1]);
const hsigmoid = (x) => tf.div(tf.relu6(tf.add(x, 3)), 6);
const hswish = (x) => tf.mul(x, hsigmoid(x));
const silu = (x) => tf.mul(x, tf.sigmoid(x));

function sampler({ image, grid }) {
  const [, height, width, channels] = image.shape;
  const corners = cornersOf(grid.data, height, width).map(({ places, weights }) => [
    tf.tensor1d(places, "int32"),
    tf.tensor2d(weights, [weights.length, 1]),
  ]);
  return (image) => {
    const pixels = tf.reshape(image, [height * width, channels]);
    return corners
      .map(([places, weights]) => tf.mul(tf.gather(pixels, places), weights))
      .reduce((a, b) => tf.add(a, b));
  };
}

function bottleneck(given, normEps) {
  const norm = (x, affine) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm(x, mean, variance, affine.bias, affine.weight, normEps);
  };
  const { image, target } = given;
  const [channels, expanded] = given.expand.shape.slice(2);
  let h = hswish(norm(tf.conv2d(image, given.expand, 1, "same"), given.expandNorm));
  h = hswish(norm(tf.depthwiseConv2d(h, given.depthwise, 1, "same"), given.depthwiseNorm));
  const squeezed = tf.relu(tf.add(tf.matMul(tf.mean(h, [1, 2]), given.reduce), given.reduceBias));
  const gate = hsigmoid(tf.add(tf.matMul(squeezed, given.excite), given.exciteBias));
  h = tf.mul(h, tf.reshape(gate, [1, 1, 1, expanded]));
  const y = tf.add(image, norm(tf.conv2d(h, given.project, 1, "same"), given.projectNorm));
  return tf.losses.meanSquaredError(target, y).reshape([]);
}

/** Variables in tfjs's shapes, in the order of the inputs; a norm's weight and bias are separate. */
function bottleneckVariables(parameters) {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => {
      const variable = (part, dims) => tf.variable(tf.tensor(part, dims));
      if (name.endsWith("Norm"))
        return [
          name,
          {
            weight: variable(data.slice(0, shape[1]), shape.slice(1)),
            bias: variable(data.slice(shape[1]), shape.slice(1)),
          },
        ];
      const dims =
        name === "expand" || name === "project" ? [1, 1, ...shape] : name === "depthwise" ? [...shape, 1] : shape;
      return [name, variable(data, dims)];
    }),
  );
}

async function joined({ weight, bias }) {
  return Float32Array.from([...(await weight.data()), ...(await bias.data())]);
}

const layerOf = (part) => part && { weight: tensor(part.weight), bias: tensor(part.bias) };
const LAYERS = ["expand", "depthwise", "reduce", "excite", "project"];

/** A block of folded layers on the device. */
const loaded = ({ stride, isResidual, ...layers }) => ({
  stride,
  isResidual,
  ...Object.fromEntries(LAYERS.map((name) => [name, layerOf(layers[name])])),
});

const convolved = (x, { weight, bias }, strides = 1, activation = "linear") =>
  tf.fused.conv2d({ x, filter: weight, strides, pad: "same", bias, activation });

function block(x, { expand, depthwise, reduce, excite, project, stride, isResidual }) {
  const wide = expand ? silu(convolved(x, expand)) : x;
  const { weight, bias } = depthwise;
  const filtered = silu(
    tf.fused.depthwiseConv2d({ x: wide, filter: window(weight), strides: stride, pad: "same", bias }),
  );
  const means = tf.mean(filtered, [1, 2], true);
  const gate = convolved(silu(convolved(means, reduce)), excite, 1, "sigmoid");
  const narrow = convolved(tf.mul(filtered, gate), project);
  return isResidual ? tf.add(narrow, x) : narrow;
}

const cases = {
  ...both("matmul", ({ a, b }) => tf.matMul(a, b), ["a", "b"]),
  ...both("pointwise", ({ image, weight }) => tf.conv2d(image, weight, 1, "same"), ["image", "weight"]),
  ...both("conv3x3", ({ image, weight }) => tf.conv2d(image, weight, 1, "same"), ["image", "weight"]),
  ...both("depthwise", ({ image, weight }) => tf.depthwiseConv2d(image, window(weight), 1, "same"), [
    "image",
    "weight",
  ]),
  gridSample: async (inputs) => {
    const [sample, image] = [sampler(inputs), tensor(inputs.image)];
    return { run: () => read([tf.tidy(() => sample(image))]) };
  },
  gridSampleGradient: async ({ gradOutput, ...inputs }) => {
    const [, rows, columns, channels] = gradOutput.shape;
    const [gradients, image] = [tf.grads(sampler(inputs)), tensor(inputs.image)];
    const grad = tensor({ shape: [rows * columns, channels], data: gradOutput.data });
    return { run: () => read(tf.tidy(() => gradients([image], grad))) };
  },
  blur: async ({ image }, { taps }) => {
    const [given, channels] = [tensor(image), image.shape[3]];
    const along = (shape) => tf.tile(tf.tensor(taps, shape), [1, 1, channels, 1]);
    const [down, across] = [along([taps.length, 1, 1, 1]), along([1, taps.length, 1, 1])];
    return {
      run: () =>
        read([tf.tidy(() => tf.depthwiseConv2d(tf.depthwiseConv2d(given, down, 1, "same"), across, 1, "same"))]),
    };
  },
  bottleneck: async ({ image, target, ...parameters }, { normEps }) => {
    const given = { ...tensors({ image, target }), ...bottleneckVariables(parameters) };
    return { run: () => read([tf.tidy(() => bottleneck(given, normEps))]) };
  },
  bottleneckStep: async ({ image, target, ...parameters }, { normEps, learningRate }) => {
    const variables = bottleneckVariables(parameters);
    const given = { ...tensors({ image, target }), ...variables };
    const optimizer = tf.train.sgd(learningRate);
    const valueOf = (variable) => (variable.weight ? joined(variable) : variable.data());
    const outputs = async ([loss]) => [loss, ...(await Promise.all(Object.values(variables).map(valueOf)))];
    return { run: () => read([optimizer.minimize(() => bottleneck(given, normEps), true)]), outputs };
  },
  smallOperations: async ({ a, b }, { count }) => {
    const [first, second] = [tensor(a), tensor(b)];
    return { run: () => read([tf.tidy(() => Array.from({ length: count }).reduce((x) => tf.add(x, second), first))]) };
  },
  efficientNet: async ({ images }, { stem, blocks, ends }) => {
    const [given, first, parts] = [tensor(images), layerOf(stem), blocks.map(loaded)];
    const features = () => {
      let x = silu(convolved(given, first, 2));
      const found = [];
      parts.forEach((part, i) => {
        x = tf.tidy(() => block(x, part));
        if (ends.includes(i)) found.push(x);
      });
      return found;
    };
    return { run: () => read(tf.tidy(features)) };
  },
};

export async function open() {
  await tf.setBackend("webgpu");
  await tf.ready();
  return { version: tf.version_core, cases };
}
