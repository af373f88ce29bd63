// GRAD against an implementation of its own in PyTorch (tools/golden/grad.py): the same made-up weights, features,
// noise and masks.
import { describe, expect, test } from "vitest";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import type { GradOptions } from "../../../src/methods/grad/options.ts";
import { stageLoss, stagesOf, type Stage, type StageInputs } from "../../../src/methods/grad/stages.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import { stageOptimizer } from "../../../src/methods/grad/training.ts";
import { Weights } from "../../../src/nn/weights.ts";
import type { FeaturePairs } from "../../../src/ops/pairs.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import {
  batch,
  channels,
  cleanOf,
  fillMadeUp,
  GRAD_CASES,
  grids,
  MAP,
  noiseOf,
  side,
  type GradCase,
} from "../../harness/golden_grad.ts";
import { BOUND, expectTraining } from "../../harness/golden_training.ts";
import { uniform } from "../../harness/made_up_network.ts";
import { difference } from "../../harness/summaries.ts";

const PAIRS = 40;
const [PASTE_KEY, PAIR_KEY] = [7000, 8000];

const maskOf = (step: number): Float32Array =>
  uniform(batch * side * side, PASTE_KEY + step).map((u) => (u > 0.5 ? 1 : 0));

/** Positions, two by two, and whether both are marked or both are not. */
function pairsOf(step: number, mask: Float32Array): FeaturePairs {
  const positions = Uint32Array.from(uniform(2 * PAIRS, PAIR_KEY + step), (u) => ((u + 1) / 2) * mask.length);
  const similar = Float32Array.from({ length: PAIRS }, (_, i) =>
    mask[positions[2 * i]!] === mask[positions[2 * i + 1]!] ? 1 : 0,
  );
  return { pairs: fromArray(device, [PAIRS, 2], positions), similar: fromArray(device, [PAIRS], similar) };
}

/** The inputs of a step of a stage. */
function inputsOf(stage: Stage, step: number, options: GradOptions): StageInputs {
  const noise = noiseOf(step);
  const clean = cleanOf(step);
  if (stage === "normal")
    return {
      features: fromArray(device, MAP, clean),
      clean: null,
      mask: null,
      noise,
      pairs: null,
      reconstruction: null,
    };
  const mask = maskOf(step);
  const features = fromArray(
    device,
    MAP,
    clean.map((x, i) => x + 9 * mask[Math.floor(i / channels)]!),
  );
  return {
    features,
    clean: null,
    mask: fromArray(device, [batch, side, side], mask),
    noise,
    pairs: options.pairs ? pairsOf(step, mask) : null,
    reconstruction: null,
  };
}

function modelOf(options: GradOptions): Grad {
  const config = gradConfig(
    { height: side, width: side, channels, variance: 24 },
    { form: "published", ...options, ...grids },
  );
  const model = new Grad(Weights.drawn(device), config, new RandomStream(0, 0));
  fillMadeUp(model.weights);
  return model;
}

describe.each(GRAD_CASES.map((row) => [row.name, row] as const))(
  "GRAD, %s,",
  (_name, { options, reconstruction, abnormal, stages }) => {
    test("reconstructs as PyTorch does", async () => {
      using _scope = device.scope({ awaits: true });
      const { features, noise } = inputsOf("normal", 0, options);
      expect(await difference(modelOf(options).reconstruct(features, noise, "training"), reconstruction)).toBeLessThan(
        BOUND,
      );
      if (abnormal)
        expect(await difference(modelOf(options).abnormal(features, noise, "training"), abnormal)).toBeLessThan(BOUND);
    });

    const expected = Object.entries(stages) as [Stage, NonNullable<GradCase["stages"][Stage]>][];
    test("goes through the stages that it should", () =>
      expect(stagesOf(modelOf(options).config)).toEqual(expected.map(([stage]) => stage)));

    test.each(expected)(
      "has PyTorch's losses, gradients and steps in the stage of the %s grid",
      async (stage, want) => {
        const model = modelOf(options);
        const optimizer = stageOptimizer(stage, model);
        await expectTraining(model.weights, optimizer, want, (step) => {
          const given = inputsOf(stage, step, options);
          const reconstruction = stage === "residual" ? model.reconstruct(given.features, null, "inference") : null;
          const { features, mask, noise, pairs } = given;
          return {
            results: () => stageLoss(stage, model, { ...given, reconstruction }),
            used: [features, mask, noise, pairs?.pairs, pairs?.similar, reconstruction],
          };
        });
        if (want.inference) {
          const inference = model.reconstruct(fromArray(device, MAP, cleanOf(0)), null, "inference");
          expect(await difference(inference, want.inference)).toBeLessThan(BOUND);
        }
        optimizer.release();
        model.weights.release();
      },
    );
  },
);
