// UniAD against PyTorch (tools/golden/uniad.py): the same made-up weights, features, jitter and dropout.
import { describe, expect, test } from "vitest";
import { uniAdConfig } from "../../../src/methods/uniad/config.ts";
import { newModel, optimizerOf } from "../../../src/methods/uniad/fit.ts";
import type { UniAdModel } from "../../../src/methods/uniad/model.ts";
import { keepAll, type Dropping } from "../../../src/nn/attention.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { multiply } from "../../../src/ops/elementwise.ts";
import { countOf, fromArray, type Shape, type Tensor } from "../../../src/tensor/tensor.ts";
import golden from "../../golden/uniad.json";
import { device } from "../../harness/device.ts";
import { BOUND, expectTraining, type TrainingSummary } from "../../harness/golden_training.ts";
import { uniform } from "../../harness/made_up_network.ts";
import { difference, hashed, type Summary } from "../../harness/summaries.ts";

interface Case extends TrainingSummary {
  readonly dropout: boolean;
  /** Places of dropout in a step. */
  readonly places: number;
  readonly reconstruction: Summary;
  readonly scores: Summary;
}

const { batch, height, width, channels, ...sizes } = golden.sizes;
const CASES = golden.cases as readonly Case[];
const [WEIGHT_KEY, FEATURE_KEY, JITTER_KEY, DROP_KEY] = [1, 5000, 6000, 7000];
const SHAPE = [batch, height, width, channels];

/** The made-up value of element `i` of a tensor of that name. */
function valueOf(name: string, shape: Shape, u: number, i: number): number {
  if (name.endsWith(".affine")) return i < countOf(shape) / 2 ? 1 + 0.5 * u : 0.2 * u;
  if (name.endsWith(".bias")) return 0.2 * u;
  return name.endsWith(".weight") ? u * Math.sqrt(3 / shape[0]!) : u;
}

function madeUpModel(): UniAdModel {
  const config = uniAdConfig({ height, width, channels }, sizes);
  const model = newModel(config, { weights: Weights.drawn(device), seed: 0 });
  const named = [...model.weights.parameters].sort(([a], [b]) => (a < b ? -1 : 1));
  named.forEach(([name, { allocation, shape }], i) =>
    device.write(
      allocation.buffer,
      uniform(countOf(shape), WEIGHT_KEY + i).map((u, at) => valueOf(name, shape, u, at)),
    ),
  );
  return model;
}

const featureValues = (step: number) => uniform(countOf(SHAPE), FEATURE_KEY + step).map((u) => 2 * u);
const featuresOf = (step: number) => fromArray(device, SHAPE, featureValues(step));

/** Features with jitter: of uniform numbers, not of normal ones. */
function seenOf(step: number): Tensor {
  const values = featureValues(step);
  return hashed(SHAPE, JITTER_KEY + step, (u, i) => {
    const first = i - (i % channels);
    return values[i]! + (u * Math.hypot(...values.subarray(first, first + channels)) * golden.jitter) / channels;
  });
}

/** Dropout of a tenth, and the number of places that it was asked for. */
function dropsOf(step: number): { readonly dropping: Dropping; readonly places: () => number } {
  let place = 0;
  const dropping: Dropping = () => {
    const key = DROP_KEY + 100 * step + place++;
    return (input) =>
      multiply(
        input,
        hashed(input.shape, key, (u) => (u > -0.8 ? 1 / 0.9 : 0)),
      );
  };
  return { dropping, places: () => place };
}

describe.each(CASES.map((row) => [row.dropout ? "with" : "without", row] as const))(
  "UniAD, %s dropout,",
  (_which, { dropout, places, reconstruction, scores, ...want }) => {
    test("has PyTorch's losses, gradients, clipped steps of AdamW, reconstruction and scores", async () => {
      const model = madeUpModel();
      const optimizer = optimizerOf(model, golden);
      expect(want.losses).toHaveLength(10);
      await expectTraining(model.weights, optimizer, want, (step) => {
        const [features, seen, drops] = [featuresOf(step), seenOf(step), dropsOf(step)];
        return {
          results: () => {
            const loss = model.loss(features, seen, dropout ? drops.dropping : keepAll);
            expect(drops.places()).toBe(places);
            return [loss];
          },
          used: [features, seen],
        };
      });
      for (const frozen of [false, true]) {
        if (frozen) model.weights.freeze();
        using _scope = device.scope({ awaits: true });
        const features = featuresOf(0);
        expect(await difference(model.reconstruct(features), reconstruction), `frozen ${frozen}`).toBeLessThan(BOUND);
        expect(await difference(model.score(features).map, scores), `frozen ${frozen}`).toBeLessThan(BOUND);
      }
      optimizer.release();
      model.weights.release();
    });
  },
);
