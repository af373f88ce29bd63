import { describe, expect, test } from "vitest";
import { planMemoryModel, trainingBytes } from "../../../src/detection/memory_estimate.ts";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import { grad as method } from "../../../src/methods/grad/method.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import { stageLoss } from "../../../src/methods/grad/stages.ts";
import { GradTraining, lossScaleOf } from "../../../src/methods/grad/training.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { multiply, scalar } from "../../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../../src/ops/gradients.ts";
import { UnsupportedError } from "../../../src/runtime/errors.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, toArray, type FloatDType } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { CELLS, CHANNELS, images, source, VARIANCE } from "../../harness/smooth_features.ts";

const FEATURES = { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE };
const CONFIG = gradConfig(FEATURES, { form: "published", branches: "normal", decoder: "tiny" });
const [BATCH, STEPS, SAVED] = [4, 40, 15];
const OPTIONS = {
  epochsAbnormal: 1,
  epochsNormal: 1,
  epochsResidual: 1,
  leastAbnormal: STEPS,
  leastNormal: STEPS,
  leastResidual: STEPS,
  enoughHits: 1,
  anomalyShare: 0.5,
  batch: BATCH,
  seed: 5,
  std: fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(Math.sqrt(VARIANCE))),
};
const HALF = { ...OPTIONS, lossScale: 2 };

const modelOf = (weights: Weights, storage: FloatDType, seed = 3) =>
  new Grad(weights, CONFIG, new RandomStream(seed, 0), { storage });
const optionsOf = (storage: FloatDType) => (storage === "f16" ? HALF : OPTIONS);

const valuesOf = async ({ weights }: Grad) =>
  new Map(
    await Promise.all(
      [...weights.all()].map(async ([name, { shape, allocation, ...tensor }]) => {
        const data = await toArray({ shape, allocation, ...tensor });
        return [name, { shape, data }] as const;
      }),
    ),
  );

/** Takes a training's steps from where it is; returns the losses that were read. */
async function losses(training: GradTraining, most = Infinity): Promise<number[]> {
  const read: number[] = [];
  let taken = 0;
  for await (const { loss } of training.steps()) {
    if (loss !== null) read.push(loss);
    if (++taken === most) break;
  }
  return read;
}

async function trained(storage: FloatDType, seed?: number) {
  const weights = Weights.drawn(device);
  const model = modelOf(weights, storage, seed);
  const read = await losses(new GradTraining(model, source(6), optionsOf(storage)));
  const values = await valuesOf(model);
  weights.release();
  return { read, values };
}

test("the loss is scaled by the number of positions, up to a power of two", () => {
  expect(lossScaleOf({ height: 28, width: 28 }, 8)).toBe(16);
  expect(lossScaleOf({ height: 14, width: 28 }, 8)).toBe(8);
  expect(lossScaleOf({ height: 9, width: 9 }, 1)).toBe(1);
});

describe.skipIf(!device.gpu.features.has("shader-f16"))("with decoders in half precision", () => {
  test("gradients are those of single precision, but for rounding", async () => {
    using _scope = device.scope({ awaits: true });
    const [features] = images(1);
    const gradientsIn = async (storage: FloatDType) => {
      const lossScale = storage === "f16" ? HALF.lossScale : 1;
      const { weights } = modelOf(Weights.drawn(device), storage);
      const model = modelOf(Weights.stored(device, await valuesOf({ weights } as Grad), "model"), storage);
      const parameters = [...model.weights.parameters.values()];
      const { grads } = valueAndGradients(() => {
        const nothing = { clean: null, mask: null, noise: null, pairs: null, reconstruction: null };
        const [loss] = stageLoss("normal", model, { features: features!, ...nothing });
        return [multiply(loss, scalar(device, lossScale))];
      }, parameters);
      expect(grads.every((gradient) => gradient?.dtype === "f32")).toBe(true);
      const values = await Promise.all(grads.map((gradient) => toArray(gradient!)));
      return values.flatMap((gradient) => Array.from(gradient, (x) => x / lossScale));
    };
    const [wide, half] = [await gradientsIn("f32"), await gradientsIn("f16")];
    const norm = (values: readonly number[]) => Math.hypot(...values);
    expect(half).not.toEqual(wide);
    expect(norm(half.map((x, i) => x - wide[i]!))).toBeLessThan(0.02 * norm(wide));
  });

  test("losses stay within the spread of seeds, and two trainings have the same bits, also if one was resumed", async () => {
    const others = [await trained("f32", 4), await trained("f32", 6)];
    const [wide, half] = [await trained("f32"), await trained("f16")];
    expect(half.read).toHaveLength(STEPS / 10);
    half.read.forEach((loss, i) => {
      const seeds = [wide, ...others].map(({ read }) => read[i]!);
      expect(Math.abs(loss - wide.read[i]!)).toBeLessThanOrEqual(Math.max(...seeds) - Math.min(...seeds));
    });
    expect(half.read.at(-1)).toBeLessThan(half.read[0]!);

    const first = modelOf(Weights.drawn(device), "f16");
    const begun = new GradTraining(first, source(6), HALF);
    await losses(begun, SAVED);
    const state = await begun.state();
    const second = modelOf(Weights.stored(device, await valuesOf(first), "model"), "f16");
    const resumed = new GradTraining(second, source(6), HALF);
    resumed.restore(state);
    await losses(resumed);
    expect(await valuesOf(second)).toEqual(half.values);
    begun.release();
    [first, second].forEach(({ weights }) => weights.release());
  });

  test("training holds less memory", async () => {
    const bytesOf = async (half: boolean) => {
      const options = { decoder: "mobile", recompute: false, half };
      const model = await planMemoryModel(device, { backbone: "embedded", inputSize: 96, options });
      return trainingBytes(device, model);
    };
    expect(await bytesOf(true)).toBeLessThan(0.8 * (await bytesOf(false)));
  });
});

test("a device without half precision is refused before the first step", () => {
  const { device: plain } = device.dryRun();
  const features = new Set([...device.gpu.features].filter((name) => name !== "shader-f16"));
  Object.assign(plain, { gpu: { features, limits: device.gpu.limits } });
  const options = resolveOptions(method.name, method.options, { half: true });
  const config = method.configure({ ...FEATURES, images: 4 }, options);
  const begin = () =>
    method.begin(config, options, {
      weights: Weights.blank(plain),
      features: source(4),
      anomalies: null,
      std: OPTIONS.std,
      seed: 0,
    });
  expect(begin).toThrow(UnsupportedError);
  expect(begin).toThrow(/^half precision needs the feature shader-f16, which .* lacks; do without it$/);
});
