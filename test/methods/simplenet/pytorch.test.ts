// SimpleNet against PyTorch (tools/golden/simplenet.py): the same made-up weights, features, noise and masks.
import { describe, expect, test } from "vitest";
import { simpleNetConfig } from "../../../src/methods/simplenet/config.ts";
import { newModel, optimizerOf } from "../../../src/methods/simplenet/fit.ts";
import { simpleNetLoss } from "../../../src/methods/simplenet/loss.ts";
import type { SimpleNetModel } from "../../../src/methods/simplenet/model.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { countOf } from "../../../src/tensor/tensor.ts";
import golden from "../../golden/simplenet.json";
import { device } from "../../harness/device.ts";
import { BOUND, expectTraining, type TrainingSummary } from "../../harness/golden_training.ts";
import { uniform } from "../../harness/made_up_network.ts";
import { difference, hashed, type Summary } from "../../harness/summaries.ts";

interface Case extends TrainingSummary {
  readonly noiseRegion: "all" | "patches";
  readonly scores: Summary;
}

const { batch, side, channels, hidden } = golden.sizes;
const CASES = golden.cases as readonly Case[];
const [WEIGHT_KEY, FEATURE_KEY, NOISE_KEY, MASK_KEY] = [1, 5000, 6000, 7000];
const PUBLISHED = { learningRate: 2e-4, adaptorLearningRate: 1e-4 };

/** The made-up tensors: their keys, and a value from a hashed number. */
const MADE_UP: Readonly<Record<string, (count: number) => Float32Array>> = {
  "adaptor.weight": (count) => uniform(count, WEIGHT_KEY).map((u) => u * Math.sqrt(3 / channels)),
  "discriminator.layer1.weight": (count) => uniform(count, WEIGHT_KEY + 1).map((u) => u * Math.sqrt(3 / channels)),
  "discriminator.norm.affine": (count) =>
    Float32Array.of(
      ...uniform(count / 2, WEIGHT_KEY + 2).map((u) => 1 + 0.5 * u),
      ...uniform(count / 2, WEIGHT_KEY + 3).map((u) => 0.2 * u),
    ),
  // it gives the negative of the paper's D
  "discriminator.layer2.weight": (count) => uniform(count, WEIGHT_KEY + 4).map((u) => -u * Math.sqrt(3 / hidden)),
};

function modelOf(): SimpleNetModel {
  const config = simpleNetConfig({ height: side, width: side, channels }, { hidden });
  const model = newModel(config, { weights: Weights.drawn(device), seed: 0 });
  expect([...model.weights.parameters.keys()].sort()).toEqual(Object.keys(MADE_UP).sort());
  for (const [name, { allocation, shape }] of model.weights.parameters)
    device.write(allocation.buffer, MADE_UP[name]!(countOf(shape)));
  return model;
}

const featuresOf = (step: number) => hashed([batch, side, side, channels], FEATURE_KEY + step);

describe.each(CASES.map((row) => [row.noiseRegion, row] as const))(
  "SimpleNet, noise on %s,",
  (noiseRegion, { scores, ...want }) => {
    test("has PyTorch's losses, gradients, steps of both optimisers, running statistics and scores", async () => {
      const model = modelOf();
      const optimizer = optimizerOf(model, PUBLISHED);
      expect(want.losses).toHaveLength(10);
      const copies = noiseRegion === "patches" ? 2 * batch : batch;
      await expectTraining(model.weights, optimizer, want, (step) => {
        const features = featuresOf(step);
        const noise = hashed([copies, side, side, channels], NOISE_KEY + step, (u) => golden.sigma * u);
        const mask =
          noiseRegion === "patches" ? hashed([copies, side, side], MASK_KEY + step, (u) => (u > 0.4 ? 1 : 0)) : null;
        return {
          results: () => [simpleNetLoss(model, features, { noise, mask }, golden.margin)],
          used: [features, noise, mask],
        };
      });
      expect([...model.weights.all().keys()].sort()).toEqual(Object.keys(want.after!).sort());
      for (const frozen of [false, true]) {
        if (frozen) model.weights.freeze();
        using _scope = device.scope({ awaits: true });
        const got = model.scores(featuresOf(0));
        expect(await difference(got, scores), `scores, frozen ${frozen}`).toBeLessThan(BOUND);
      }
      optimizer.release();
      model.weights.release();
    });
  },
);
