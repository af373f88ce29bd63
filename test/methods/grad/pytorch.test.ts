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
import { valueAndGradients } from "../../../src/ops/gradients.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { countOf, fromArray, release, toArray, type Shape, type Tensor } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import golden from "../../golden/grad.json";
import { difference, type Summary } from "../../harness/golden_summary.ts";
import { uniform } from "../../harness/made_up_network.ts";

interface StageResult {
  readonly losses: readonly number[];
  readonly gradients: Readonly<Record<string, Summary | number | null>>;
  readonly after?: Readonly<Record<string, Summary>>;
  readonly inference?: Summary;
}

interface Case {
  readonly name: string;
  readonly options: GradOptions;
  readonly reconstruction: Summary;
  readonly abnormal?: Summary;
  readonly stages: Readonly<Partial<Record<Stage, StageResult>>>;
}

const { batch, side, channels, ...grids } = golden.sizes;
const CASES = golden.cases as unknown as readonly Case[];
const BOUND = 1e-4;
const PAIRS = 40;
const [WEIGHT_KEY, FEATURE_KEY, NOISE_KEY, PASTE_KEY, PAIR_KEY] = [1, 5000, 6000, 7000, 8000];

const tensor = (shape: Shape, key: number, value: (u: number, i: number) => number): Tensor =>
  fromArray(device, shape, uniform(countOf(shape), key).map(value));

const MAP: Shape = [batch, side, side, channels];
const cleanOf = (step: number): Float32Array => {
  const base = uniform(countOf(MAP), FEATURE_KEY);
  return uniform(countOf(MAP), FEATURE_KEY + 1 + step).map((u, i) => 3.5 * base[i]! + 0.5 * u);
};
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
  const noise = tensor([batch, side, side, 2], NOISE_KEY + step, (u) => 0.05 * u);
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

/** The made-up value of element `i` of a tensor of that name. */
function valueOf(name: string, shape: Shape, u: number, i: number): number {
  const isFirstRow = i < countOf(shape) / 2;
  if (name === "fusion.weight") return -0.2;
  if (name.endsWith(".affine")) return isFirstRow ? 1 + 0.5 * u : 0.2 * u;
  if (name.endsWith(".running")) return isFirstRow ? 0.1 * u : 1 + 0.5 * u;
  if (name.endsWith(".unit")) return 2 + u;
  if (name.endsWith(".bias")) return 0.2 * u;
  if (!name.endsWith(".weight")) return u;
  return u * Math.sqrt(3 / (name.endsWith("depthwise.weight") ? 9 : countOf(shape.slice(0, -1))));
}

/** A tensor's key is its place among all names in order. */
function modelOf(options: GradOptions): Grad {
  const config = gradConfig(
    { height: side, width: side, channels, variance: 24 },
    { form: "published", ...options, ...grids },
  );
  const model = new Grad(Weights.drawn(device), config, new RandomStream(0, 0));
  const constants = (name: string): boolean => name === "fusion.normal" || name === "fusion.abnormal";
  const named = [...model.weights.all()].filter(([name]) => !constants(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  named.forEach(([name, { allocation, shape }], i) =>
    device.write(
      allocation.buffer,
      uniform(countOf(shape), WEIGHT_KEY + i).map((u, at) => valueOf(name, shape, u, at)),
    ),
  );
  return model;
}

describe.each(CASES.map((row) => [row.name, row] as const))(
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

    const expected = Object.entries(stages) as [Stage, StageResult][];
    test("goes through the stages that it should", () =>
      expect(stagesOf(modelOf(options).config)).toEqual(expected.map(([stage]) => stage)));

    test.each(expected)(
      "has PyTorch's losses, gradients and steps in the stage of the %s grid",
      async (stage, want) => {
        const model = modelOf(options);
        const optimizer = stageOptimizer(stage, model);
        const names = new Map([...model.weights.parameters].map(([name, parameter]) => [parameter, name]));
        expect(new Set(optimizer.parameters.map((parameter) => names.get(parameter)))).toEqual(
          new Set(Object.keys(want.gradients)),
        );
        for (const [step, loss] of want.losses.entries()) {
          const given = inputsOf(stage, step, options);
          const inputs = {
            ...given,
            reconstruction: stage === "residual" ? model.reconstruct(given.features, null, "inference") : null,
          };
          const { results, grads } = valueAndGradients(() => stageLoss(stage, model, inputs), optimizer.parameters);
          expect(Math.abs((await toArray(results[0]))[0]! / loss - 1), `loss of step ${step}`).toBeLessThan(BOUND);
          for (const [i, parameter] of step === 0 ? optimizer.parameters.entries() : []) {
            const name = names.get(parameter)!;
            const [gradient, its] = [grads[i], want.gradients[name]];
            if (its === null || its === undefined) expect(gradient, name).toBeNull();
            else if (typeof its === "object")
              expect(await difference(gradient!, its), `gradient of ${name}`).toBeLessThan(BOUND);
            else
              expect(Math.abs(Math.hypot(...(await toArray(gradient!))) - its), `gradient of ${name}`).toBeLessThan(
                BOUND * Math.max(its, 1e-6),
              );
          }
          optimizer.step(grads);
          const { features, mask, noise, pairs, reconstruction } = inputs;
          const used = [...results, ...grads, features, mask, noise, pairs?.pairs, pairs?.similar, reconstruction];
          used.forEach((tensor) => tensor && release(tensor));
        }
        for (const [name, its] of Object.entries(want.after ?? {})) {
          const got = model.weights.all().get(name);
          expect(got, name).toBeDefined();
          expect(await difference(got!, its), `${name} after ${want.losses.length} steps`).toBeLessThan(BOUND);
        }
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
