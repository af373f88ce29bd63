import { expect, test } from "vitest";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import { stagesOf, STREAM, trainedIn, trainStep } from "../../../src/methods/grad/stages.ts";
import type { FeatureSource } from "../../../src/methods/method.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import { gridParameters } from "../../../src/methods/parts/grid_memory.ts";
import { readResults } from "../../../src/methods/parts/captured_steps.ts";
import { GradTraining, stageOptimizer, stepsOf } from "../../../src/methods/grad/training.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { openDevice } from "../../../src/node/device.ts";
import { DeviceLostError } from "../../../src/runtime/errors.ts";
import { Tuner } from "../../../src/runtime/tuner.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, release, toArray, zeros } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { poison } from "../../harness/operation.ts";
import { CELLS, CHANNELS, source, VARIANCE } from "../../harness/smooth_features.ts";

const CONFIG = gradConfig(
  { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE },
  { form: "published", decoder: "tiny", residualWeight: 1 },
);
// an epoch is a batch of four and one of two; each stage has 30 steps
const [COUNT, BATCH, SEED, STEPS] = [6, 4, 5, 70];
const OPTIONS = {
  epochsAbnormal: 1,
  epochsNormal: 1,
  epochsResidual: 1,
  leastAbnormal: 30,
  leastNormal: 30,
  leastResidual: 30,
  enoughHits: 0.99,
  anomalyShare: 0.5,
  batch: BATCH,
  seed: SEED,
  std: fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(Math.sqrt(VARIANCE))),
};
const STAGE_STREAMS = 16;
const MOST_DISPATCHES = 150; // of a step of the first stage

const model = () => new Grad(Weights.drawn(device), CONFIG, new RandomStream(3, 0));

const bitsOf = (grad: Grad) =>
  Promise.all(
    [...grad.weights.all()].map(
      async ([name, tensor]) => [name, new Uint32Array((await toArray(tensor)).buffer)] as const,
    ),
  );

/** The steps of `GradTraining`, none of them captured: what they are by the definition. */
async function eager(grad: Grad, features: FeatureSource): Promise<number[]> {
  const losses: number[] = [];
  grad.setResidualUnit(OPTIONS.std);
  for (const [i, stage] of stagesOf(CONFIG).entries()) {
    const optimizer = stageOptimizer(stage, grad);
    const { steps, perEpoch, epochs } = stepsOf(stage, COUNT, OPTIONS);
    const offset = i * STAGE_STREAMS;
    for (let step = 0; step < steps && losses.length < STEPS; step++) {
      const order = new RandomStream(SEED, STREAM.order + offset, Math.floor(step / perEpoch)).permutation(COUNT);
      const nth = step % perEpoch;
      const chosen = await features.batch(order.slice(nth * BATCH, (nth + 1) * BATCH));
      const noisy = stage !== "residual" && new RandomStream(SEED, STREAM.coin + offset, step).unit() < 0.5;
      optimizer.advance(stage === "normal" && Math.floor(step / perEpoch) >= Math.floor(0.8 * epochs) ? 0.1 : 1);
      const drawOf = (use: number) => ({ seed: SEED, stream: use + offset, step });
      const inputs = { features: chosen, marked: null, kind: Number(noisy), optimizer, drawOf };
      const { results } = trainStep(stage, grad, inputs, OPTIONS);
      release(chosen);
      losses.push((await toArray(results[0]!))[0]!);
      results.forEach(release);
    }
    optimizer.release();
  }
  return losses;
}

test("captured steps give the bits of eager ones through all stages, with noise and without, in whole batches and the rest", async () => {
  const [one, other] = [model(), model()];
  const losses = await eager(one, source(COUNT));
  const training = new GradTraining(other, source(COUNT), OPTIONS);
  const read: (number | null)[] = [];
  for await (const { loss } of training.steps()) {
    read.push(loss);
    poison();
    if (read.length === STEPS) break;
  }
  read.forEach((loss, i) => {
    if (loss !== null) expect(loss).toBe(losses[i]);
  });
  expect(read.filter((loss) => loss !== null)).toHaveLength(STEPS / 10);
  expect(await bitsOf(other)).toEqual(await bitsOf(one));
  training.release();
  [one, other].forEach(({ weights }) => weights.release());
});

test("a step whose kind was captured binds and allocates nothing, and uploads its number and the optimiser's schedule alone", async () => {
  const grad = model();
  const images = source(BATCH); // every batch is whole, and put together on the GPU
  const training = new GradTraining(grad, images, OPTIONS);
  const steps = training.steps();
  for (let i = 0; i < 12; i++) await steps.next(); // both sides of the coin
  await device.finish();
  const [memory, before] = [device.memory(), device.counters()];
  const taken = 8;
  for (let i = 0; i < taken; i++) await steps.next();
  await device.finish();
  const after = device.counters();
  expect(device.memory()).toEqual(memory);
  expect(after.bindGroups).toBe(before.bindGroups);
  const trained = Object.values(gridParameters(grad.weights, trainedIn("abnormal", CONFIG))).flat();
  expect((after.bytesUploaded - before.bytesUploaded) / taken).toBe(4 + 4 * 4 * trained.length);
  expect((after.submits - before.submits) / taken).toBeLessThanOrEqual(4);
  expect((after.dispatches - before.dispatches) / taken).toBeLessThanOrEqual(MOST_DISPATCHES);
  training.release();
  grad.weights.release();
});

test("a device that measures forms does so after a stage's first steps, which are then captured anew with what is fastest", async () => {
  const { tuner } = device;
  const mutable: { tuner: Tuner } = device;
  const own = (mutable.tuner = new Tuner(null, true));
  const grad = model();
  try {
    const training = new GradTraining(grad, source(COUNT), OPTIONS);
    const made: number[] = [];
    for await (const { step } of training.steps()) {
      expect(own.isPending).toBe(false);
      made.push(own.choices.size);
      if (step === 8) break;
    }
    training.release();
    expect(made[0]).toBeGreaterThan(0);
    expect(made.at(-1)).toBe(made.at(-3)); // whole batches and the rest, with noise and without, have come up
  } finally {
    mutable.tuner = tuner;
    grad.weights.release();
  }
});

test.each([true, false])(
  "where the device is lost, whoever wants a step's results (%s) is told once, and nobody else",
  async (wanted) => {
    const own = await openDevice();
    const results = [zeros(own, [1]), zeros(own, [2])];
    own.destroy();
    // a promise that nobody waits for would end the process
    await expect(readResults(results, wanted)).rejects.toThrow(DeviceLostError);
  },
);
