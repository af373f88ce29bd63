import { describe, expect, test } from "vitest";
import { Adam, AdamW } from "../../src/optim/adam.ts";
import { cosineLearningRate, stepLearningRate } from "../../src/optim/schedule.ts";
import { Sgd } from "../../src/optim/sgd.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";

/** AdamW in float64, as torch.optim.AdamW with clip_grad_norm_ before it. */
class Reference {
  readonly values: number[][];
  readonly #m: number[][];
  readonly #v: number[][];
  #step = 0;

  constructor(values: readonly Float32Array[]) {
    this.values = values.map((x) => Array.from(x));
    this.#m = values.map((x) => Array.from(x, () => 0));
    this.#v = values.map((x) => Array.from(x, () => 0));
  }

  step(grads: readonly Float32Array[], learningRates: readonly number[], maxNorm: number, weightDecay: number): void {
    this.#step++;
    const norm = Math.sqrt(grads.reduce((sum, grad) => sum + grad.reduce((s, g) => s + g * g, 0), 0));
    const factor = Math.min(1, maxNorm / (norm + 1e-6));
    grads.forEach((grad, t) =>
      grad.forEach((raw, i) => {
        const g = factor * raw;
        const m = (this.#m[t]![i] = 0.9 * this.#m[t]![i]! + 0.1 * g);
        const v = (this.#v[t]![i] = 0.999 * this.#v[t]![i]! + 0.001 * g * g);
        const update = m / (1 - 0.9 ** this.#step) / (Math.sqrt(v / (1 - 0.999 ** this.#step)) + 1e-8);
        this.values[t]![i] = this.values[t]![i]! * (1 - learningRates[t]! * weightDecay) - learningRates[t]! * update;
      }),
    );
  }
}

const random = rng(31);
const draw = (count: number, scale: number) => Float32Array.from({ length: count }, () => scale * (2 * random() - 1));

test.each([
  ["clipped", 0.1, 0.01],
  ["not clipped", 1e6, 0.01],
  ["without weight decay", 0.1, 0],
])("twenty steps, %s, follow the definition", async (_what, maxNorm, weightDecay) => {
  const initial = [draw(7, 1), draw(300, 1)];
  const learningRates = [0.1, 0.001];
  const parameters = initial.map((values) => requireGrad(fromArray(device, [values.length], values)));
  const optimizer = new AdamW(
    parameters.map((parameter, i) => ({ parameters: [parameter], learningRate: learningRates[i]! })),
    { maxNorm, weightDecay },
  );
  const reference = new Reference(initial);
  for (let step = 0; step < 20; step++) {
    const grads = initial.map(({ length }) => draw(length, 3));
    optimizer.step(grads.map((grad) => fromArray(device, [grad.length], grad)));
    reference.step(grads, learningRates, maxNorm, weightDecay);
  }
  for (const [t, parameter] of parameters.entries()) {
    const got = await toArray(parameter);
    const worst = Math.max(...got.map((x, i) => Math.abs(x - reference.values[t]![i]!)));
    // Each step's update is of the order of the learning rate.
    expect(worst).toBeLessThan(20 * learningRates[t]! * 1e-5 + 20 * 2 ** -23);
  }
});

test.each([0.1, Infinity])(
  "gradients of a loss times a power of two give the same bits where the optimiser takes that back, norms of at most %d",
  async (maxNorm) => {
    const initial = draw(300, 1);
    const gradients = Array.from({ length: 5 }, () => draw(300, 3));
    const trained = async (lossScale: number) => {
      const parameter = requireGrad(fromArray(device, [300], initial));
      const groups = [{ parameters: [parameter], learningRate: 0.1 }];
      const optimizer = new AdamW(groups, { maxNorm, gradientScale: 1 / lossScale });
      for (const gradient of gradients)
        optimizer.step([
          fromArray(
            device,
            [300],
            gradient.map((x) => lossScale * x),
          ),
        ]);
      return toArray(parameter);
    };
    expect(await trained(1024)).toEqual(await trained(1));
  },
);

test("a parameter without a gradient stays, and the learning rate can be scaled", async () => {
  const [still, moving] = [draw(4, 1), draw(4, 1)].map((values) => requireGrad(fromArray(device, [4], values))) as [
    Tensor,
    Tensor,
  ];
  const [before, start] = await Promise.all([toArray(still), toArray(moving)]);
  const optimizer = new AdamW([{ parameters: [still, moving], learningRate: 0.5 }], { weightDecay: 0 });
  optimizer.step([null, fromArray(device, [4], Float32Array.of(1, -1, 2, -2))], 0.1);
  expect(await toArray(still)).toEqual(before);
  // The first step of Adam moves by the learning rate against the sign, whatever the gradient's size.
  (await toArray(moving)).forEach((x, i) => expect(x - start[i]!).toBeCloseTo(i % 2 === 0 ? -0.05 : 0.05, 6));
});

test("takes PyTorch's settings if not told otherwise, and clips nothing", async () => {
  const initial = draw(50, 1);
  const parameter = requireGrad(fromArray(device, [50], initial));
  const optimizer = new AdamW([{ parameters: [parameter], learningRate: 0.1 }]);
  const reference = new Reference([initial]);
  for (let step = 0; step < 5; step++) {
    const grad = draw(50, 100);
    optimizer.step([fromArray(device, [50], grad)]);
    reference.step([grad], [0.1], Infinity, 0.01);
  }
  (await toArray(parameter)).forEach((x, i) =>
    expect(Math.abs(x - reference.values[0]![i]!)).toBeLessThan(5 * 0.1 * 1e-5),
  );
});

test("eps keeps the step small where the gradient is, and clipping allows for a norm of zero", async () => {
  const parameter = requireGrad(fromArray(device, [2], Float32Array.of(0, 0)));
  const optimizer = new AdamW([{ parameters: [parameter], learningRate: 1 }], { weightDecay: 0, maxNorm: 1e-6 });
  optimizer.step([fromArray(device, [2], Float32Array.of(3e-8, 0))]);
  // The first step is g / (|g| + 1e-8), and g = 3e-8 * min(1, 1e-6 / (3e-8 + 1e-6)).
  const g = (3e-8 * 1e-6) / (3e-8 + 1e-6);
  const [moved, still] = await toArray(parameter);
  expect(moved! / (-g / (g + 1e-8))).toBeCloseTo(1, 4);
  expect(still! + 0).toBe(0);
});

test("an optimiser gives its memory back", () => {
  const parameter = requireGrad(fromArray(device, [1000], new Float32Array(1000)));
  // its own: one buffer cannot be read and updated at once
  const gradient = fromArray(device, [1000], new Float32Array(1000));
  const before = device.memory().bytes;
  const optimizer = new AdamW([{ parameters: [parameter], learningRate: 1 }]);
  optimizer.step([gradient]);
  expect(device.memory().bytes).toBeGreaterThan(before);
  optimizer.release();
  expect(device.memory().bytes).toBe(before);
});

/**
 * One parameter and three gradients of it, twelve numbers: what torch.optim makes of them is in the definition's few
 * lines.
 */
const steps = (
  update: (g: number, w: number, step: number) => number,
  start: number,
  grads: readonly number[],
): number => grads.reduce((w, g, i) => update(g, w, i + 1), start);

async function run(
  optimizerOf: (parameter: Tensor) => Adam | Sgd,
  start: number,
  grads: readonly number[],
): Promise<number> {
  const parameter = requireGrad(fromArray(device, [1], Float32Array.of(start)));
  const optimizer = optimizerOf(parameter);
  for (const grad of grads) optimizer.step([fromArray(device, [1], Float32Array.of(grad))]);
  optimizer.release();
  return (await toArray(parameter))[0]!;
}

describe("the other rules", () => {
  const grads = [0.5, -1.25, 2, 0.75];

  test("Adam adds its weight decay to the gradient", async () => {
    let [m, v] = [0, 0];
    const want = steps(
      (raw, w, step) => {
        const g = raw + 0.1 * w;
        m = 0.8 * m + 0.2 * g;
        v = 0.9 * v + 0.1 * g * g;
        return w - (0.05 * (m / (1 - 0.8 ** step))) / (Math.sqrt(v / (1 - 0.9 ** step)) + 1e-3);
      },
      2,
      grads,
    );
    const got = await run(
      (parameter) =>
        new Adam([{ parameters: [parameter], learningRate: 0.05 }], { betas: [0.8, 0.9], eps: 1e-3, weightDecay: 0.1 }),
      2,
      grads,
    );
    expect(got).toBeCloseTo(want, 6);
  });

  test.each([
    ["without momentum", 0, false],
    ["with momentum", 0.9, false],
    ["with Nesterov's momentum", 0.9, true],
  ])("SGD %s", async (_what, momentum, nesterov) => {
    let velocity = 0;
    const want = steps(
      (raw, w) => {
        const g = raw + 0.1 * w;
        velocity = momentum * velocity + g;
        return w - 0.05 * (nesterov ? g + momentum * velocity : velocity);
      },
      2,
      grads,
    );
    const got = await run(
      (parameter) =>
        new Sgd([{ parameters: [parameter], learningRate: 0.05 }], { momentum, nesterov, weightDecay: 0.1 }),
      2,
      grads,
    );
    expect(got).toBeCloseTo(want, 6);
  });
});

test("a parameter that sat a step out has its own count of steps", async () => {
  const parameters = [0, 0].map((x) => requireGrad(fromArray(device, [1], Float32Array.of(x))));
  const optimizer = new AdamW([{ parameters, learningRate: 0.1 }], { weightDecay: 0 });
  const grad = () => fromArray(device, [1], Float32Array.of(3));
  optimizer.step([grad(), null]);
  optimizer.step([grad(), grad()]);
  const [two, one] = await Promise.all(parameters.map((parameter) => toArray(parameter)));
  expect(one![0]).toBeCloseTo(-0.1, 6); // its first step, whatever the others did
  expect(two![0]).toBeCloseTo(-0.2, 6);
});

test("takes as many dispatches for a hundred parameters as for two", () => {
  const dispatchesFor = (count: number): number => {
    using _scope = device.scope();
    const parameters = Array.from({ length: count }, (_, i) =>
      requireGrad(fromArray(device, [i + 1], new Float32Array(i + 1))),
    );
    const optimizer = new AdamW(
      [
        { parameters: parameters.slice(0, 1), learningRate: 0.1 },
        { parameters: parameters.slice(1), learningRate: 0.01 },
      ],
      { maxNorm: 1 },
    );
    const grads = parameters.map(({ shape }) => fromArray(device, shape, new Float32Array(shape[0]!)));
    const before = device.counters().dispatches;
    optimizer.step(grads);
    optimizer.release();
    return device.counters().dispatches - before;
  };
  expect(dispatchesFor(100)).toBe(dispatchesFor(2));
  expect(dispatchesFor(100)).toBeLessThan(10);
});

test("repeats bit for bit, also over more elements than one row of the norm's sum", async () => {
  const once = async (): Promise<Uint32Array> => {
    const values = rng(8);
    const parameter = requireGrad(
      fromArray(
        device,
        [5000],
        Float32Array.from({ length: 5000 }, () => values()),
      ),
    );
    const optimizer = new AdamW([{ parameters: [parameter], learningRate: 0.1 }], { maxNorm: 0.1 });
    for (let i = 0; i < 3; i++)
      optimizer.step([
        fromArray(
          device,
          [5000],
          Float32Array.from({ length: 5000 }, () => values() - 0.5),
        ),
      ]);
    optimizer.release();
    return new Uint32Array((await toArray(parameter)).buffer);
  };
  expect(await once()).toEqual(await once());
});

describe("schedules", () => {
  test("stepLearningRate falls by its factor every few epochs", () => {
    expect([0, 1, 2, 3, 5, 6].map((epoch) => stepLearningRate(epoch, { every: 3, factor: 0.5 }))).toEqual([
      1, 1, 1, 0.5, 0.5, 0.25,
    ]);
  });
  test("cosineLearningRate falls along half a cosine and stays at its least", () => {
    const learningRates = [0, 5, 10, 11].map((epoch) => cosineLearningRate(epoch, { epochs: 10, least: 0.1 }));
    expect(learningRates[0]).toBe(1);
    expect(learningRates[1]).toBeCloseTo(0.55, 12);
    expect(learningRates.slice(2)).toEqual([0.1, 0.1]);
  });
  test("refuse what is no schedule", () => {
    expect(() => stepLearningRate(1, { every: 0, factor: 0.1 })).toThrow(
      "stepLearningRate: expected every >= 1, a whole number, and a finite factor, got 0 and 0.1",
    );
    expect(() => cosineLearningRate(1, { epochs: 0 })).toThrow(
      "cosineLearningRate: expected epochs > 0 and least in [0, 1], got 0 and 0",
    );
  });
});

describe("optimisers reject", () => {
  const parameter = requireGrad(empty(device, [3]));
  const groups = [{ parameters: [parameter], learningRate: 0.1 }];
  test.each<readonly [string, () => unknown, typeof OptionError | typeof ShapeError, string]>([
    ["nothing to optimise", () => new AdamW([]), OptionError, "AdamW: expected at least one parameter"],
    [
      "whole numbers",
      () => new Sgd([{ parameters: [empty(device, [2], "u32")], learningRate: 1 }]),
      ShapeError,
      "Sgd: expected parameter 0 of dtype f32, it is u32, got parameter 0 [2]",
    ],
    [
      "a negative learning rate",
      () => new Adam([{ parameters: [parameter], learningRate: -1 }]),
      OptionError,
      "Adam: expected a learning rate of at least 0, got -1",
    ],
    ["a norm of zero", () => new AdamW(groups, { maxNorm: 0 }), OptionError, "AdamW: expected maxNorm > 0, got 0"],
    [
      "a scale of zero",
      () => new Sgd(groups, { gradientScale: 0 }),
      OptionError,
      "Sgd: expected gradientScale > 0, got 0",
    ],
    [
      "a beta of 1",
      () => new AdamW(groups, { betas: [0.9, 1] }),
      OptionError,
      "AdamW: expected betas in [0, 1), eps and weightDecay of at least 0, got 0.9,1, 1e-8 and 0.01",
    ],
    [
      "a momentum of 1",
      () => new Sgd(groups, { momentum: 1 }),
      OptionError,
      "Sgd: expected momentum in [0, 1) and weightDecay of at least 0, got 1 and 0",
    ],
    [
      "Nesterov's momentum of 0",
      () => new Sgd(groups, { nesterov: true }),
      OptionError,
      "Sgd: expected momentum > 0 with nesterov, got 0",
    ],
    [
      "an unknown option",
      () => new Sgd(groups, { dampening: 1 } as object),
      OptionError,
      "Sgd: unknown option dampening; it takes momentum, nesterov, weightDecay, maxNorm, gradientScale",
    ],
    [
      "too few gradients",
      () => new AdamW(groups).step([]),
      OptionError,
      "step: expected a gradient or null for each of 1 parameters, got 0",
    ],
    [
      "a gradient of another shape",
      () => new AdamW(groups).step([empty(device, [4])]),
      ShapeError,
      "step: expected gradient [3], got parameter [3] and gradient [4]",
    ],
  ])("%s", (_what, attempt, type, message) => {
    expect(attempt).toThrow(type);
    expect(attempt).toThrow(message);
  });
});

describe("an optimiser's state", () => {
  const made = (values: readonly Float32Array[]) => {
    const parameters = values.map((data) => requireGrad(fromArray(device, [data.length], data)));
    return { parameters, optimizer: new AdamW([{ parameters, learningRate: 0.01 }]) };
  };

  test("moved to another of the same parameters goes on to the same bits, steps that one sat out included", async () => {
    const initial = [draw(5, 1), draw(1030, 1)];
    const steps = Array.from({ length: 6 }, () => initial.map(({ length }) => draw(length, 3)));
    const take = (optimizer: AdamW, some: typeof steps) =>
      some.forEach((grads, n) =>
        optimizer.step(grads.map((grad, i) => (n === 1 && i === 0 ? null : fromArray(device, [grad.length], grad)))),
      );
    const whole = made(initial);
    take(whole.optimizer, steps.slice(0, 3));
    const state = await whole.optimizer.state();
    expect(state.steps).toEqual([2, 3]);
    const moved = made(await Promise.all(whole.parameters.map((parameter) => toArray(parameter))));
    moved.optimizer.step(initial.map(({ length }) => zeros(device, [length]))); // which restore must undo
    for (const [i, parameter] of moved.parameters.entries())
      device.write(parameter.allocation.buffer, await toArray(whole.parameters[i]!));
    moved.optimizer.restore(state);
    for (const { optimizer } of [whole, moved]) take(optimizer, steps.slice(3));
    for (const [i, parameter] of whole.parameters.entries())
      expect(await toArray(moved.parameters[i]!)).toEqual(await toArray(parameter));
  });

  test("of other parameters is refused", async () => {
    const state = await made([draw(3, 1)]).optimizer.state();
    expect(() => made([draw(4, 1)]).optimizer.restore(state)).toThrow(ShapeError);
    expect(() => made([draw(3, 1), draw(3, 1)]).optimizer.restore(state)).toThrow(
      "restore: expected the state of 2 parameters, 2 moments of each",
    );
  });
});
