import { describe, expect, test } from "vitest";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import { DECODERS } from "../../../src/methods/parts/decoders.ts";
import type { FitStep } from "../../../src/methods/method.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import { GradTraining } from "../../../src/methods/grad/training.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { valueAndGradients } from "../../../src/ops/gradients.ts";
import { reconstructionLoss } from "../../../src/ops/losses.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { countOf, fromArray, toArray, type Tensor } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { CELLS, CHANNELS, images, source, VARIANCE } from "../../harness/smooth_features.ts";

// Blocks as published: 50 steps are enough to see what raises all channels together, and not what differs from channel
// to channel.
const CONFIG = gradConfig(
  { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE },
  { form: "published", decoder: "tiny", pasteDirection: "equal" },
);

const model = () => new Grad(Weights.drawn(device), CONFIG, new RandomStream(3, 0));
const OPTIONS = {
  epochsAbnormal: 1,
  epochsNormal: 1,
  epochsResidual: 1,
  batch: 4,
  leastAbnormal: 50,
  leastNormal: 500,
  leastResidual: 30,
  enoughHits: 0.99,
  anomalyShare: 0.5,
  seed: 5,
  std: fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(Math.sqrt(VARIANCE))),
};

async function trained(steps: number): Promise<{ readonly steps: FitStep[]; readonly bits: Uint32Array[] }> {
  const grad = model();
  const seen: FitStep[] = [];
  for await (const step of new GradTraining(grad, source(6), OPTIONS).steps()) {
    seen.push(step);
    if (seen.length === steps) break;
  }
  const bits = await Promise.all(
    [...grad.weights.all().values()].map(async (tensor) => new Uint32Array((await toArray(tensor)).buffer)),
  );
  return { steps: seen, bits };
}

test.each(DECODERS)(
  "decoder %s reconstructs the features' shape, and every parameter gets a finite gradient",
  async (decoder) => {
    const grad = new Grad(
      Weights.drawn(device),
      gradConfig(
        { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE },
        { form: "published", decoder, blocks: 2 },
      ),
      new RandomStream(3, 0),
    );
    const [first] = images(1) as [Tensor];
    const parameters = [...grad.weights.parameters];
    const { results, grads } = valueAndGradients(
      () => {
        const reconstruction = grad.reconstruct(first, null, "training");
        return [reconstructionLoss(first, reconstruction, { threshold: CONFIG.similarityThreshold }), reconstruction];
      },
      parameters.map(([, tensor]) => tensor),
    );
    expect(results[1].shape).toEqual(first.shape);
    for (const [i, [name, { shape }]] of parameters.entries()) {
      const gradient = await toArray(grads[i]!);
      expect(gradient.length, name).toBe(countOf(shape));
      expect(gradient.every(Number.isFinite), name).toBe(true);
    }
  },
);

describe("training", () => {
  test("takes at least 50 and 500 steps on a small set, and the loss falls", async () => {
    const { steps } = await trained(Infinity);
    const normal = steps.filter(({ stage }) => stage === "normal");
    expect(normal).toHaveLength(500);
    const losses = normal.flatMap(({ loss }) => (loss === null ? [] : [loss]));
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(0.1 * losses[0]!);
    const hinge = steps.flatMap(({ stage, loss }) => (stage === "abnormal" && loss !== null ? [loss] : []));
    expect(hinge.at(-1)!).toBeLessThan(hinge[0]!);
  });

  test("gives the same bits from the same seed", async () => {
    const [one, other] = [await trained(60), await trained(60)];
    expect(other).toEqual(one);
  });

  test("leaves memory as it was after every step", async () => {
    const steps = new GradTraining(model(), source(6), OPTIONS).steps();
    const before: number[] = [];
    const buffers: number[] = [];
    for (let i = 0; i < 8; i++) {
      await steps.next();
      before.push(device.memory().bytes);
      buffers.push(device.memory().buffersCreated);
    }
    // From the second epoch on, batches of both sizes and both sides of the noise coin have been seen.
    expect(new Set(before.slice(4)).size).toBe(1);
    expect(buffers.at(-1)! - buffers[5]!).toBeLessThanOrEqual(1);
  });
});

test("the second stage leaves the abnormal grids alone", async () => {
  const grad = model();
  const names = ["abnormal.localGrid", "abnormal.globalGrid"];
  const values = () => Promise.all(names.map((name) => toArray(grad.weights.parameters.get(name)!)));
  let before: Float32Array[] | null = null;
  for await (const { stage, step } of new GradTraining(grad, source(4), OPTIONS).steps()) {
    if (stage === "normal") before ??= await values();
    if (stage === "normal" && step === 10) break;
  }
  expect(await values()).toEqual(before);
});

test("an unknown decoder is refused", () => {
  expect(() => gradConfig({ height: 8, width: 8, channels: 4, variance: 24 }, { decoder: "huge" as "tiny" })).toThrow(
    "grad: expected decoder to be tiny, compact, mobile or basic, got huge",
  );
});
