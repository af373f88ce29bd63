// bigrid as users have it: the built library, functions by name. `captured` runs a program captured from the same code;
// `dtype` is the networks' storage type.
import {
  activation,
  add,
  batchNorm,
  conv2d,
  createBackbone,
  depthwiseConv2d,
  fromArray,
  gaussianBlur,
  valueAndGradients,
  gridSample,
  matmul,
  mseLoss,
  multiply,
  openDevice,
  openWeights,
  pointwiseConv2d,
  requireGrad,
  reshape,
  Sgd,
  squeezeExcitation,
  sum,
  toArray,
} from "../../../dist/node.js";
import { readFileSync } from "node:fs";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));

export async function open({ captured = false, dtype = "f32" }) {
  const device = await openDevice();
  const tensor = ({ shape, data }) => fromArray(device, shape, data);
  const tensors = (inputs) => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, tensor(input)]));

  /** Prepares a run of `f`, direct or captured, that reads its tensors. */
  function prepared(f, { before, outputs } = {}) {
    const scoped = (use) => {
      const scope = device.scope();
      try {
        return use(f(), scope);
      } finally {
        scope[Symbol.dispose]();
      }
    };
    let program = null;
    const captureOrReplay = () => {
      if (program) program.program.run();
      else program = device.capture(() => scoped((results, scope) => results.map((result) => scope.keep(result))));
      return program.result.map(toArray);
    };
    const eager = () => scoped((results) => results.map(toArray));
    const run = () => {
      before?.();
      return Promise.all(captured ? captureOrReplay() : eager());
    };
    return { run, outputs };
  }

  const forward = (f) => async (inputs) => {
    const given = tensors(inputs);
    return prepared(() => [f(given)]);
  };
  /** The gradients of sum(f * gradOutput) for the named tensors. */
  const backward = (f, names) => async (inputs) => {
    const { gradOutput, ...rest } = tensors(inputs);
    const given = { ...rest, ...Object.fromEntries(names.map((name) => [name, requireGrad(rest[name])])) };
    const weighted = () => [sum(multiply(f(given), gradOutput))];
    return prepared(
      () =>
        valueAndGradients(
          weighted,
          names.map((name) => given[name]),
        ).grads,
    );
  };
  const both = (name, f, names) => ({ [name]: forward(f), [`${name}Gradients`]: backward(f, names) });

  const flat = (x) => reshape(x, x.shape.slice(2));
  const batched = (x) => reshape(x, [1, ...x.shape]);
  const sampled = ({ image, grid }) => gridSample(image, grid, { alignCorners: true });

  const bottleneck = (normEps) => (given) => {
    const norm = (x, affine, running) => batchNorm(x, affine, running, { eps: normEps });
    const { running } = given;
    let h = activation(norm(pointwiseConv2d(given.image, given.expand), given.expandNorm, running.expand), "hswish");
    h = activation(
      norm(depthwiseConv2d(h, given.depthwise, { padding: 1 }), given.depthwiseNorm, running.depthwise),
      "hswish",
    );
    h = squeezeExcitation(
      h,
      { weight: given.reduce, bias: given.reduceBias },
      { weight: given.excite, bias: given.exciteBias },
      { gate: "hsigmoid" },
    );
    const y = add(norm(pointwiseConv2d(h, given.project), given.projectNorm, running.project), given.image);
    return mseLoss(y, given.target);
  };
  const runningOf = (parameters) =>
    Object.fromEntries(
      ["expand", "depthwise", "project"].map((name) => {
        const { shape } = parameters[`${name}Norm`];
        return [name, tensor({ shape, data: new Float32Array(2 * shape[1]) })];
      }),
    );

  const cases = {
    ...both("matmul", ({ a, b }) => matmul(batched(a), batched(b)), ["a", "b"]),
    ...both("pointwise", ({ image, weight }) => pointwiseConv2d(image, flat(weight)), ["image", "weight"]),
    ...both("conv3x3", ({ image, weight }) => conv2d(image, weight, { padding: 1 }), ["image", "weight"]),
    ...both("depthwise", ({ image, weight }) => depthwiseConv2d(image, weight, { padding: 1 }), ["image", "weight"]),
    gridSample: forward(sampled),
    gridSampleGradient: backward(sampled, ["image"]),
    blur: async ({ image }, { size, sigma }) => {
      const given = tensor(image);
      return prepared(() => [gaussianBlur(given, { size, sigma, border: "zeros" })]);
    },
    bottleneck: async (inputs, { normEps }) => {
      const given = { ...tensors(inputs), running: runningOf(inputs) };
      return prepared(() => [bottleneck(normEps)(given)]);
    },
    bottleneckStep: async ({ image, target, ...parameters }, { normEps, learningRate }) => {
      const trained = Object.fromEntries(
        Object.entries(tensors(parameters)).map(([name, parameter]) => [name, requireGrad(parameter)]),
      );
      const given = { ...tensors({ image, target }), ...trained, running: runningOf(parameters) };
      const wrt = Object.values(trained);
      const optimizer = new Sgd([{ parameters: wrt, learningRate }]);
      const step = () => {
        const { results, grads } = valueAndGradients(() => [bottleneck(normEps)(given)], wrt);
        optimizer.apply(grads);
        return results;
      };
      const outputs = async ([loss]) => [loss, ...(await Promise.all(wrt.map(toArray)))];
      return prepared(step, { before: () => optimizer.advance(), outputs });
    },
    smallOperations: async ({ a, b }, { count }) => {
      const [first, second] = [tensor(a), tensor(b)];
      return prepared(() => [Array.from({ length: count }).reduce((x) => add(x, second), first)]);
    },
    efficientNet: async ({ images }, { name, file }) => {
      const network = await createBackbone(device, name, {
        inputSize: images.shape[1],
        weights: await openWeights(file),
        dtype,
      });
      const given = tensor(images);
      return prepared(() => network.features(given));
    },
  };
  const { description } = device.adapter;
  return { version, adapter: description, cases };
}
