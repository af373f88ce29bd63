import { expect, test } from "vitest";
import { AdamW } from "../../src/optim/adam.ts";
import { fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../bounds.ts";
import { device } from "../device.ts";

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

  step(grads: readonly Float32Array[], rates: readonly number[], maxNorm: number, decay: number): void {
    this.#step++;
    const norm = Math.sqrt(grads.reduce((sum, grad) => sum + grad.reduce((s, g) => s + g * g, 0), 0));
    const factor = Math.min(1, maxNorm / (norm + 1e-6));
    grads.forEach((grad, t) =>
      grad.forEach((raw, i) => {
        const g = factor * raw;
        const m = (this.#m[t]![i] = 0.9 * this.#m[t]![i]! + 0.1 * g);
        const v = (this.#v[t]![i] = 0.999 * this.#v[t]![i]! + 0.001 * g * g);
        const update = m / (1 - 0.9 ** this.#step) / (Math.sqrt(v / (1 - 0.999 ** this.#step)) + 1e-8);
        this.values[t]![i] = this.values[t]![i]! * (1 - rates[t]! * decay) - rates[t]! * update;
      }),
    );
  }
}

const random = rng(31);
const draw = (count: number, scale: number) => Float32Array.from({ length: count }, () => scale * (2 * random() - 1));

test.each([
  ["clipped", 0.1, 0.01],
  ["not clipped", 1e6, 0.01],
  ["without decay", 0.1, 0],
])("twenty steps, %s, follow the definition", async (_what, maxNorm, decay) => {
  const initial = [draw(7, 1), draw(300, 1)];
  const rates = [0.1, 0.001];
  const parameters = initial.map((values) => requireGrad(fromArray(device, [values.length], values)));
  const optimizer = new AdamW(parameters.map((parameter, i) => ({ parameters: [parameter], rate: rates[i]! })), { maxNorm, decay });
  const reference = new Reference(initial);
  for (let step = 0; step < 20; step++) {
    const grads = initial.map(({ length }) => draw(length, 3));
    optimizer.step(grads.map((grad) => fromArray(device, [grad.length], grad)));
    reference.step(grads, rates, maxNorm, decay);
  }
  for (const [t, parameter] of parameters.entries()) {
    const got = await toArray(parameter);
    const worst = Math.max(...got.map((x, i) => Math.abs(x - reference.values[t]![i]!)));
    expect(worst).toBeLessThan(20 * rates[t]! * 1e-5 + 20 * 2 ** -23); // each step's update is of the order of the rate
  }
});

test("a parameter without a gradient stays, and the rate can be scaled", async () => {
  const [still, moving] = [draw(4, 1), draw(4, 1)].map((values) => requireGrad(fromArray(device, [4], values))) as [Tensor, Tensor];
  const [before, start] = await Promise.all([toArray(still), toArray(moving)]);
  const optimizer = new AdamW([{ parameters: [still, moving], rate: 0.5 }], { decay: 0 });
  optimizer.step([null, fromArray(device, [4], Float32Array.of(1, -1, 2, -2))], 0.1);
  expect(await toArray(still)).toEqual(before);
  // The first step of Adam moves by the rate against the sign, whatever the gradient's size.
  (await toArray(moving)).forEach((x, i) => expect(x - start[i]!).toBeCloseTo(i % 2 === 0 ? -0.05 : 0.05, 6));
});

test("takes PyTorch's settings if not told otherwise, and clips nothing", async () => {
  const initial = draw(50, 1);
  const parameter = requireGrad(fromArray(device, [50], initial));
  const optimizer = new AdamW([{ parameters: [parameter], rate: 0.1 }]);
  const reference = new Reference([initial]);
  for (let step = 0; step < 5; step++) {
    const grad = draw(50, 100);
    optimizer.step([fromArray(device, [50], grad)]);
    reference.step([grad], [0.1], Infinity, 0.01);
  }
  (await toArray(parameter)).forEach((x, i) => expect(Math.abs(x - reference.values[0]![i]!)).toBeLessThan(5 * 0.1 * 1e-5));
});

test("eps keeps the step small where the gradient is, and clipping allows for a norm of zero", async () => {
  const parameter = requireGrad(fromArray(device, [2], Float32Array.of(0, 0)));
  const optimizer = new AdamW([{ parameters: [parameter], rate: 1 }], { decay: 0, maxNorm: 1e-6 });
  optimizer.step([fromArray(device, [2], Float32Array.of(3e-8, 0))]);
  // The first step is g / (|g| + 1e-8), and g = 3e-8 * min(1, 1e-6 / (3e-8 + 1e-6)).
  const g = (3e-8 * 1e-6) / (3e-8 + 1e-6);
  const [moved, still] = await toArray(parameter);
  expect(moved! / (-g / (g + 1e-8))).toBeCloseTo(1, 4);
  expect(still! + 0).toBe(0);
});

test("an optimiser gives its memory back", () => {
  const parameter = requireGrad(fromArray(device, [1000], new Float32Array(1000)));
  const gradient = fromArray(device, [1000], new Float32Array(1000)); // its own: one buffer cannot be read and updated at once
  const before = device.memory().bytes;
  const optimizer = new AdamW([{ parameters: [parameter], rate: 1 }]);
  optimizer.step([gradient]);
  expect(device.memory().bytes).toBeGreaterThan(before);
  optimizer.release();
  expect(device.memory().bytes).toBe(before);
});
