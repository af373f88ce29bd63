import { describe, expect, test } from "vitest";
import { simplenet } from "../../../src/methods/simplenet/method.ts";
import { focalLoss } from "../../../src/methods/simplenet/loss.ts";
import { newModel, optimizerOf } from "../../../src/methods/simplenet/fit.ts";
import { simpleNetConfig } from "../../../src/methods/simplenet/config.ts";
import { SIMPLENET_OPTIONS, type SimpleNetOptions } from "../../../src/methods/simplenet/options.ts";
import type { FeatureSource, Fit, Json } from "../../../src/methods/method.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { valueAndGradients } from "../../../src/ops/gradients.ts";
import { ShapeError } from "../../../src/runtime/errors.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, requireGrad, toArray, zeros, type Tensor } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import * as reference from "../../reference/simplenet.ts";

const [SIDE, CHANNELS, IMAGES] = [6, 8, 8];
const EXTENTS = { height: SIDE, width: SIDE, channels: CHANNELS };

/** Standardised features on a plane of two dimensions, so that noise leaves it. */
function flat(count: number, key: number, off = 0): Float32Array {
  const random = new RandomStream(key, 0);
  const values = new Float32Array(count * SIDE * SIDE * CHANNELS);
  for (let cell = 0; cell < values.length; cell += CHANNELS) {
    const [u, v] = random.normals(2, 1);
    for (let c = 0; c < CHANNELS; c++)
      values[cell + c] = (c % 2 === 0 ? u! : v!) * (c % 3 === 0 ? -1 : 1) + off * ((c >> 1) % 2 === 0 ? 1 : -1);
  }
  return values;
}

const GOOD = flat(IMAGES, 3);
const features: FeatureSource = {
  count: IMAGES,
  batch: (indices) => {
    const each = GOOD.length / IMAGES;
    const values = Float32Array.from(indices.flatMap((i) => [...GOOD.subarray(i * each, (i + 1) * each)]));
    return Promise.resolve(fromArray(device, [indices.length, SIDE, SIDE, CHANNELS], values));
  },
};

const settingsOf = (options: SimpleNetOptions) => resolveOptions("simplenet", SIMPLENET_OPTIONS, options);

function begun(options: SimpleNetOptions): Fit {
  const settings = settingsOf(options);
  const config = simplenet.configure({ ...EXTENTS, variance: 1, images: IMAGES }, settings);
  const weights = Weights.drawn(device);
  const std = zeros(device, [CHANNELS]);
  return simplenet.begin(config, settings, { weights, features, anomalies: null, std, seed: 5 });
}

async function* images(...all: readonly Float32Array[]): AsyncGenerator<Tensor> {
  for (const values of all) yield fromArray(device, [1, SIDE, SIDE, CHANNELS], values);
}

const scoreOf = async ({ model }: Fit, values: Float32Array): Promise<Float32Array> =>
  toArray(model.score(fromArray(device, [values.length / (SIDE * SIDE * CHANNELS), SIDE, SIDE, CHANNELS], values)).map);

const meanOf = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe("the focal loss", () => {
  const scores = [-3, -0.5, 0.25, 2, 40, -40, 100, -100];
  const marks = [1, 0, 1, 0, 1, 0, 0, 1];

  test("is its definition's, and finite where that overflows", async () => {
    for (const count of [4, 6]) {
      const [some, theirs] = [scores.slice(0, count), marks.slice(0, count)];
      const loss = focalLoss(
        fromArray(device, [count], Float32Array.from(some)),
        fromArray(device, [count], Float32Array.from(theirs)),
      );
      expect((await toArray(loss))[0]).toBeCloseTo(reference.focalLoss(some, theirs), 5);
    }
    const all = focalLoss(
      fromArray(device, [8], Float32Array.from(scores)),
      fromArray(device, [8], Float32Array.from(marks)),
    );
    // log(1 + e^100) is 100, twice, of eight; the other terms as above
    const [value] = await toArray(all);
    expect(value).toBeCloseTo((reference.focalLoss(scores.slice(0, 6), marks.slice(0, 6)) * 6 + 200) / 8, 4);
  });

  test("has the gradient of central differences", async () => {
    const some = scores.slice(0, 4);
    const input = requireGrad(fromArray(device, [4], Float32Array.from(some)));
    const { grads } = valueAndGradients(
      () => [focalLoss(input, fromArray(device, [4], Float32Array.from(marks.slice(0, 4))))],
      [input],
    );
    const got = await toArray(grads[0]!);
    some.forEach((_, i) => {
      const at = (step: number) => reference.focalLoss(some.with(i, some[i]! + step), marks.slice(0, 4));
      expect(Math.abs(got[i]! - (at(1e-5) - at(-1e-5)) / 2e-5)).toBeLessThan(1e-5);
    });
  });
});

test.each(["all", "patches"] as const)("learns to tell good features from others, noise on %s", async (noiseRegion) => {
  const options = { noise: 0.5, noiseRegion, hidden: 32, epochs: 0, leastSteps: 150, batch: 4, learningRate: 3e-3 };
  const fit = begun({ ...options, adaptorLearningRate: 1e-3 });
  const losses: number[] = [];
  for await (const { loss } of fit.steps()) if (loss !== null) losses.push(loss);
  expect(losses).toHaveLength(15);
  expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
  const [good, bad] = await Promise.all([scoreOf(fit, flat(2, 8)), scoreOf(fit, flat(2, 9, 1.5))]);
  expect(meanOf(bad)).toBeGreaterThan(meanOf(good) + 0.3);
  fit.release();
});

describe("the floor of the map", () => {
  const untrained = () =>
    newModel(simpleNetConfig(EXTENTS, { hidden: 8 }), { weights: Weights.drawn(device), seed: 1 });
  const rawOf = async (values: Float32Array) => {
    const model = untrained();
    return toArray(model.scores(fromArray(device, [1, SIDE, SIDE, CHANNELS], values)));
  };

  test("lies two standard deviations below the mean score of held-out cells, and the map counts from there", async () => {
    const model = untrained();
    const held = [flat(1, 11), flat(1, 12)];
    const carried = await model.adjust(images(...held), null);
    const raw = (await Promise.all(held.map(rawOf))).flatMap((values) => [...values]);
    const mean = meanOf(raw);
    const std = Math.sqrt(meanOf(raw.map((value) => (value - mean) ** 2)));
    expect(model.config.floor).toBeCloseTo(mean - 2 * std, 5);
    expect(carried).toEqual([raw.length, expect.closeTo(mean, 5), expect.closeTo(std * std * raw.length, 3)]);
    const map = await toArray(model.score(fromArray(device, [1, SIDE, SIDE, CHANNELS], held[0]!)).map);
    map.forEach((value, i) => expect(value).toBeCloseTo(Math.max(0, raw[i]! - model.config.floor), 5));
  });

  test("is that of the models of the folds before, where none are held out, and stays where there were none", async () => {
    const [first, last, alone] = [untrained(), untrained(), untrained()];
    const carried = await first.adjust(images(flat(1, 11)), null);
    expect(await last.adjust(images(), carried)).toEqual(carried);
    expect(last.config.floor).toBe(first.config.floor);
    await alone.adjust(images(), null);
    expect(alone.config.floor).toBe(-1);
    for (const absurd of ["absurd", [1], [1, 2, null]] as Json[])
      expect(() => alone.requireCarried(absurd)).toThrow(ShapeError);
    alone.requireCarried(carried);
    alone.requireCarried(null);
  });
});

test("there is more noise on patches by default, and hidden channels go by the backbone", () => {
  expect(settingsOf({})).toMatchObject({ noise: 0.07, hidden: 128 });
  expect(settingsOf({ noiseRegion: "patches" })).toMatchObject({ noise: 0.25 });
  expect(settingsOf({ noiseRegion: "patches", noise: 0.1 })).toMatchObject({ noise: 0.1 });
  expect(resolveOptions("simplenet", SIMPLENET_OPTIONS, {}, { pretrained: true })).toMatchObject({ hidden: 1024 });
});

test("the joint optimiser of adaptor and discriminator refuses states of other parameters", async () => {
  const model = newModel(simpleNetConfig(EXTENTS, { hidden: 8 }), { weights: Weights.drawn(device), seed: 1 });
  const optimizer = optimizerOf(model, settingsOf({}));
  const state = await optimizer.state();
  expect(state.steps).toHaveLength(4);
  expect(state.moments).toHaveLength(8);
  optimizer.restore(state);
  const { steps, moments } = state;
  for (const wrong of [
    { steps: steps.slice(1), moments },
    { steps: [...steps, 0], moments },
    { steps, moments: moments.slice(2) },
    { steps: [], moments: [] },
    { steps, moments: moments.map((values, i) => (i === 7 ? values.slice(1) : values)) },
  ])
    expect(() => optimizer.restore(wrong)).toThrow(ShapeError);
  optimizer.release();
});

test("noise is drawn anew in each step, and from the seed alone", async () => {
  const lossesOf = async (seed: number) => {
    const settings = settingsOf({
      hidden: 8,
      epochs: 0,
      leastSteps: 20,
      batch: 8,
      learningRate: 0,
      adaptorLearningRate: 0,
    });
    const config = simplenet.configure({ ...EXTENTS, variance: 1, images: IMAGES }, settings);
    const weights = Weights.drawn(device);
    const std = zeros(device, [CHANNELS]);
    const fit = simplenet.begin(config, settings, { weights, features, anomalies: null, std, seed });
    const losses: number[] = [];
    for await (const { loss } of fit.steps()) if (loss !== null) losses.push(loss);
    fit.release();
    return losses;
  };
  const [first, again, other] = [await lossesOf(5), await lossesOf(5), await lossesOf(6)];
  expect(first).toHaveLength(2);
  expect(first[0]).not.toBe(first[1]); // the same images and weights: only the noise differs
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});
