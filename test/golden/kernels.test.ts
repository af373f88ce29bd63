import { describe, expect, test } from "vitest";
import {
  activation,
  Adam,
  AdamW,
  add,
  averagePool,
  batchNorm,
  batchNormInference,
  broadcastTo,
  cast,
  concat,
  conv2d,
  cosinePairLoss,
  cosineLearningRate,
  cosineSimilarity,
  depthwiseConv2d,
  divide,
  exclusiveScan,
  foldBatchNorm,
  fromArray,
  gather,
  gaussianBlur,
  globalAveragePool,
  globalMaxPool,
  valueAndGradients,
  gridSample,
  hingeLoss,
  histogram,
  l2Norm,
  l2Normalize,
  layerNorm,
  matmul,
  max,
  maximum,
  maxPool,
  mean,
  min,
  minimum,
  mseLoss,
  multiply,
  pad,
  pointwiseConv2d,
  reconstructionLoss,
  requireGrad,
  resize,
  Sgd,
  slice,
  softmax,
  squeezeExcitation,
  standardize,
  stepLearningRate,
  subtract,
  sum,
  toArray,
  topKMean,
  transpose,
  type Tensor,
} from "../../src/index.ts";
import { EPS_F32, excessOf } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import golden from "./kernels.json";

// Compares every kernel with PyTorch's outputs and gradients from tools/golden/kernels.py, which documents a case.

interface Described {
  readonly shape: readonly number[];
  readonly dtype: "f32" | "u32";
  readonly data: readonly number[];
}

interface Case {
  readonly op: string;
  readonly why: string;
  readonly inputs: Readonly<Record<string, Described>>;
  readonly arguments?: readonly unknown[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly gradOutput?: readonly number[];
  readonly output: Described;
  readonly also?: Readonly<Record<string, Described>>;
  readonly grads?: Readonly<Record<string, readonly number[]>>;
  readonly scale?: { readonly output: number; readonly grads: Readonly<Record<string, number>> };
}

type Inputs = Readonly<Record<string, Tensor>>;
/** The output under that name, and any other results that the case has. Plain functions give plain numbers. */
type Results = Readonly<Record<string, Tensor | readonly number[]>> & { readonly output: Tensor | readonly number[] };

interface Entry {
  readonly run: (inputs: Inputs, c: Case) => Results;
  /** Roundings on the longest path, in units of 2^-24 of the scale; 0 if f32 is exact on the case's numbers. */
  readonly slack: (c: Case) => number;
}

// Accuracies that WGSL guarantees, in units of 2^-24, of which an ulp is at most two: of a quotient (2.5 ulp), and of a
// square root, the reciprocal of an inverse square root of 2 ulp.
const DIVISION = 5;
const ROOT = 9;

/** Largest rounding error of an exponential: 3 + 2 |x| ulp; beyond |x| = 10 the functions made of it are flat. */
const EXPONENTIAL = 2 * (3 + 2 * 10);

// A function and its slope add a few roundings; tanh is a quotient of two sums of two exponentials.
const ACTIVATIONS: Readonly<Record<string, number>> = {
  relu: 0,
  relu6: 0,
  abs: 0,
  square: 0,
  leakyRelu: 2, // the slope, and the product with it
  hsigmoid: 2 + DIVISION,
  hswish: 4 + DIVISION,
  sigmoid: 4 + EXPONENTIAL + DIVISION,
  silu: 8 + EXPONENTIAL + DIVISION,
  tanh: 4 + 2 * EXPONENTIAL + DIVISION,
  gelu: 16 + EXPONENTIAL + DIVISION, // the approximation of erfc is good to 2, and its polynomial rounds ten times
  exp: 2 + EXPONENTIAL,
  log: 8 + DIVISION, // 2^-21 near 1, where the logarithm is less than 1
  sqrt: 2 + ROOT + DIVISION,
};

/** An activation as the options have it. */
type Named = string | { readonly name: string };

const activationSlack = (activation: Named): number => {
  const name = typeof activation === "string" ? activation : activation.name;
  const known = ACTIVATIONS[name];
  if (known === undefined) throw new Error(`how much does ${name} round?`);
  return known;
};

const countOf = ({ shape }: Described): number => shape.reduce((a, b) => a * b, 1);
const positionsOf = ({ shape }: Described): number => shape.slice(0, -1).reduce((a, b) => a * b, 1);
const extentOf = (c: Case, name: string, axis: number): number => c.inputs[name]!.shape.at(axis)!;

/** Calls `f(...inputs, ...arguments, options)`. */
const plainly = (f: (...operands: never[]) => Tensor, slack: Entry["slack"]): Entry => ({
  run: (inputs, c) => {
    const operands = [...Object.values(inputs), ...(c.arguments ?? []), ...(c.options ? [c.options] : [])];
    return { output: f(...(operands as never[])) };
  },
  slack,
});

/** Calls `f(x, y, options)` with a bias among the options. */
const withBias = (f: (x: Tensor, y: Tensor, options: never) => Tensor, slack: Entry["slack"]): Entry => ({
  run: ({ bias, ...inputs }, c) => {
    const [x, y] = Object.values(inputs);
    return { output: f(x!, y!, { ...c.options, ...(bias ? { bias } : {}) } as never) };
  },
  slack,
});

/**
 * Sums of products of the cases' numbers are exact; an activation rounds, and so does each term of a sum over its
 * gradients.
 */
const epilogueSlack = (terms: (c: Case) => number) => (c: Case) => {
  const applied = c.options?.["activation"] as Named | undefined;
  return applied === undefined ? 0 : 2 + activationSlack(applied) + terms(c);
};

const hinge = (f: (...operands: never[]) => unknown, slack: Entry["slack"]): Entry => ({
  run: (inputs, c) => {
    const { loss, hits } = f(...([...Object.values(inputs), c.options] as never[])) as {
      readonly loss: Tensor;
      readonly hits: Tensor;
    };
    return { output: loss, hits };
  },
  slack,
});

/** The `arguments` of an optimiser's case. */
type Steps = readonly [
  groups: readonly { readonly parameters: readonly string[]; readonly learningRate: number }[],
  scales: readonly number[],
  absent: Readonly<Record<string, readonly number[]>>,
];

/** Takes one step for each of the stacked gradients; the parameters are the results. */
const optimizer = (Kind: typeof AdamW | typeof Adam | typeof Sgd): Entry => ({
  run: (inputs, c) => {
    const [groups, scales, absent] = c.arguments as unknown as Steps;
    const names = groups.flatMap(({ parameters }) => parameters);
    const made = groups.map(({ parameters, learningRate }) => ({
      parameters: parameters.map((name) => inputs[name]!),
      learningRate,
    }));
    const stepped = new Kind(made, c.options ?? {});
    scales.forEach((scale, step) => {
      const grads = names.map((name) => {
        if (absent[name]?.includes(step)) return null;
        const { shape, data } = c.inputs[name]!;
        const stacked = c.inputs[`${name}Grads`]!.data;
        return fromArray(device, shape, Float32Array.from(stacked.slice(step * data.length, (step + 1) * data.length)));
      });
      stepped.step(grads, scale);
    });
    const [first, ...others] = names;
    return { output: inputs[first!]!, ...Object.fromEntries(others.map((name) => [name, inputs[name]!])) };
  },
  // A step rounds a parameter twice, and its update, at most about the learning rate, by two averages, a root, a
  // quotient and the clipping.
  slack: (c) => {
    const [groups, scales] = c.arguments as unknown as Steps;
    const learningRate = Math.max(...groups.map((group) => group.learningRate)) * Math.max(...scales);
    return scales.length * (2 + learningRate * (10 + 2 * (ROOT + DIVISION)));
  },
});

const schedule = (f: (epoch: number, options: never) => number): Entry => ({
  run: (_inputs, c) => ({ output: c.output.data.map((_, epoch) => f(epoch, c.options as never)) }),
  slack: () => 1, // float64, of which the file keeps nine digits
});

const exactly = () => 0;

// Statistics round once for each of their positions, as do the gradient's two sums; then a root, a quotient, some
// products.
const normSlack = (extent: (c: Case) => number) => (c: Case) => 16 + ROOT + DIVISION + extent(c);
const channels = (c: Case) => Object.values(c.inputs)[0]!.shape.at(-1)!;
// A norm, a quotient, and two sums over channels in the gradient.
const similaritySlack = (c: Case) => 16 + 2 * (ROOT + DIVISION) + 2 * channels(c);
const quotient = () => 4 + DIVISION;

const TABLE: Readonly<Record<string, Entry>> = {
  activation: plainly(activation, (c) => {
    const rounded = activationSlack(c.arguments?.[0] as Named);
    return rounded === 0 ? 0 : rounded + 1; // times gradOutput
  }),
  conv2d: withBias(
    conv2d,
    epilogueSlack((c) => {
      const [height, width, inputs, outputs] = c.inputs["weight"]!.shape as [number, number, number, number];
      return Math.max(height * width * Math.max(inputs, outputs), positionsOf(c.output));
    }),
  ),
  depthwiseConv2d: withBias(
    depthwiseConv2d,
    epilogueSlack((c) => Math.max(extentOf(c, "weight", 0) * extentOf(c, "weight", 1), positionsOf(c.output))),
  ),
  matmul: withBias(
    matmul,
    epilogueSlack((c) =>
      Math.max(...["a", "b"].flatMap((name) => c.inputs[name]!.shape.slice(1)), positionsOf(c.output)),
    ),
  ),
  pointwiseConv2d: withBias(
    pointwiseConv2d,
    epilogueSlack((c) => Math.max(...c.inputs["weight"]!.shape, positionsOf(c.output))),
  ),
  batchNorm: {
    run: ({ input, affine, running }, c) => ({
      output: batchNorm(input!, affine!, running!, c.options),
      running: running!,
    }),
    slack: normSlack((c) => positionsOf(c.output)),
  },
  batchNormInference: plainly(
    batchNormInference,
    normSlack((c) => positionsOf(c.output)),
  ),
  foldBatchNorm: {
    run: ({ weight, bias, affine, running }, c) => {
      const folded = foldBatchNorm(weight!, bias ?? null, affine!, running!, c.options);
      return { output: folded.weight, bias: folded.bias };
    },
    slack: () => 4 + ROOT + DIVISION,
  },
  standardize: plainly(
    standardize,
    normSlack((c) => extentOf(c, "input", 1) * extentOf(c, "input", 2)),
  ),
  layerNorm: {
    run: ({ input, affine }, c) => ({ output: layerNorm(input!, affine ?? null, c.options) }),
    slack: normSlack((c) => Math.max(channels(c), positionsOf(c.output))),
  },
  squeezeExcitation: {
    run: ({ input, weight1, bias1, weight2, bias2 }, c) => {
      const layer = (weight: Tensor, bias?: Tensor) => (bias ? { weight, bias } : { weight });
      return { output: squeezeExcitation(input!, layer(weight1!, bias1), layer(weight2!, bias2), c.options) };
    },
    // The mean, both functions, and the longest of: the gradient's sum over positions, two layers' sums, the weights'
    // over images.
    slack: (c) => {
      const { activation: inner = "relu", gate = "sigmoid" } = (c.options ?? {}) as {
        readonly activation?: Named;
        readonly gate?: Named;
      };
      return (
        8 +
        activationSlack(inner) +
        activationSlack(gate) +
        positionsOf(c.output) +
        2 * channels(c) +
        2 * extentOf(c, "weight1", 1)
      );
    },
  },
  gridSample: plainly(gridSample, exactly), // positions and weights are short binary fractions
  // An error of the ratio moves a position in n pixels by n times as much, and so each of its two weights. An
  // antialiased weight has two quotients, its own and that by the sum of all, which has as many terms as the window has
  // pixels.
  resize: plainly(resize, (c) => {
    if (c.options?.["mode"] === "nearest") return 0;
    const [height, width] = [extentOf(c, "input", 1), extentOf(c, "input", 2)];
    return (
      8 + 2 * (2 + DIVISION) * (height + width) + (c.options?.["antialias"] ? 4 * DIVISION + 2 * (height + width) : 0)
    );
  }),
  // in two axes a weight, a product and a sum each
  gaussianBlur: plainly(gaussianBlur, (c) => 4 + 4 * Number(c.options?.["size"])),
  averagePool: plainly(averagePool, (c) => {
    const window = [c.arguments?.[0]].flat() as number[];
    return DIVISION + 1 + window[0]! * window.at(-1)!; // of an exact sum; then the gradient's sum of rounded terms
  }),
  maxPool: plainly(maxPool, exactly),
  globalAveragePool: plainly(globalAveragePool, quotient),
  globalMaxPool: plainly(globalMaxPool, exactly),
  mseLoss: plainly(mseLoss, quotient), // squares and their sums are exact
  reconstructionLoss: plainly(reconstructionLoss, (c) => similaritySlack(c) + positionsOf(c.inputs["target"]!)),
  hingeLoss: hinge(hingeLoss, quotient),
  cosinePairLoss: hinge(cosinePairLoss, (c) => similaritySlack(c) + extentOf(c, "pairs", 0)),
  cosineSimilarity: plainly(cosineSimilarity, similaritySlack),
  l2Norm: plainly(l2Norm, similaritySlack),
  l2Normalize: plainly(l2Normalize, similaritySlack),
  softmax: plainly(softmax, (c) => 8 + EXPONENTIAL + DIVISION + 2 * channels(c)),
  add: plainly(add, exactly),
  subtract: plainly(subtract, exactly),
  multiply: plainly(multiply, exactly),
  divide: plainly(divide, (c) => 2 + 2 * DIVISION + countOf(c.output)), // sums of quotients over repeated elements
  maximum: plainly(maximum, exactly),
  minimum: plainly(minimum, exactly),
  broadcastTo: plainly(broadcastTo, exactly),
  sum: plainly(sum, exactly),
  mean: plainly(mean, quotient),
  max: plainly(max, exactly),
  min: plainly(min, exactly),
  concat: {
    run: (inputs, c) => ({ output: concat(Object.values(inputs), c.arguments?.[0] as number) }),
    slack: exactly,
  },
  slice: plainly(slice, exactly),
  pad: plainly(pad, exactly),
  transpose: plainly(transpose, exactly),
  gather: plainly(gather, exactly),
  cast: plainly(cast, exactly),
  AdamW: optimizer(AdamW),
  Adam: optimizer(Adam),
  Sgd: optimizer(Sgd),
  stepLearningRate: schedule(stepLearningRate),
  cosineLearningRate: schedule(cosineLearningRate),
  topKMean: plainly(topKMean, quotient),
  histogram: plainly(histogram, exactly),
  exclusiveScan: plainly(exclusiveScan, exactly),
};

const cases = (golden as unknown as { readonly cases: readonly Case[] }).cases;

const tensorOf = ({ shape, dtype, data }: Described): Tensor =>
  fromArray(device, shape, dtype === "u32" ? Uint32Array.from(data) : Float32Array.from(data));

/** Output, further results and gradients, by name; and the output's shape. */
async function compute(c: Case, { run }: Entry) {
  using _scope = device.scope({ awaits: true });
  const inputs = Object.fromEntries(
    Object.entries(c.inputs).map(([name, input]) => [
      name,
      c.grads?.[name] ? requireGrad(tensorOf(input)) : tensorOf(input),
    ]),
  );
  let results!: Results;
  let reads: Promise<ArrayLike<number>>[] = [];
  const read = (result: Tensor | readonly number[]) => ("dtype" in result ? toArray(result) : Promise.resolve(result));
  const names = Object.keys(c.grads ?? {});
  if (c.gradOutput === undefined) {
    results = run(inputs, c);
    reads = Object.values(results).map(read);
  } else {
    const { grads } = valueAndGradients(
      () => {
        results = run(inputs, c);
        reads = Object.values(results).map(read); // inside: everything that is not returned is released
        const output = results.output as Tensor;
        return [multiply(output, fromArray(device, output.shape, Float32Array.from(c.gradOutput!)))];
      },
      names.map((name) => inputs[name]!),
    );
    reads.push(
      ...grads.map((grad, i) => (grad ? toArray(grad) : Promise.reject(new Error(`no gradient of ${names[i]}`)))),
    );
  }
  const { output } = results;
  const values = await Promise.all(reads);
  const known = Object.keys(results);
  return {
    shape: "dtype" in output ? output.shape : [output.length],
    results: Object.fromEntries(known.map((name, i) => [name, values[i]!])),
    grads: Object.fromEntries(names.map((name, i) => [name, values[known.length + i]!])),
  };
}

/**
 * Describes how `got` differs from `want` by more than the slack, or returns null. Without slack only the f32 nearest
 * to `want` is right.
 */
function faultOf(
  name: string,
  got: ArrayLike<number>,
  want: readonly number[],
  scale: number | undefined,
  slack: number,
): string | null {
  const largest = scale ?? want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const nearest = slack === 0 ? want.map(Math.fround) : want;
  const fault = excessOf(
    got,
    nearest,
    want.map(() => largest),
    slack * EPS_F32,
    "f32",
  );
  return fault === null ? null : name + fault;
}

const lacksHalf = !device.gpu.features.has("shader-f16");

describe("PyTorch agrees", () => {
  test("the file and the table know the same operations", () => {
    expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(Object.keys(TABLE).sort());
  });

  for (const [op, entry] of Object.entries(TABLE)) {
    for (const c of cases.filter((some) => some.op === op)) {
      const cannot = lacksHalf && c.arguments?.includes("f16") === true;
      test.skipIf(cannot)(`${op}: ${c.why}${cannot ? " (skipped: this device has no f16)" : ""}`, async () => {
        const got = await compute(c, entry);
        const slack = entry.slack(c);
        if (c.output.shape.length > 0) expect(got.shape).toEqual(c.output.shape); // a single number may have any shape
        const faults = [faultOf("output", got.results["output"]!, c.output.data, c.scale?.output, slack)];
        for (const [name, { data }] of Object.entries(c.also ?? {}))
          faults.push(faultOf(name, got.results[name]!, data, undefined, slack));
        for (const [name, want] of Object.entries(c.grads ?? {})) {
          faults.push(faultOf(`gradient of ${name}`, got.grads[name]!, want, c.scale?.grads[name], slack));
        }
        expect(faults.filter((fault) => fault !== null)).toEqual([]);
      });
    }
  }
});
