import { describe, expect, test } from "vitest";
import { imageScores } from "../../../src/detection/scoring.ts";
import { Training } from "../../../src/detection/training.ts";
import type { FeatureSource, Fit, Json, MethodOptions } from "../../../src/methods/method.ts";
import { patchcore } from "../../../src/methods/patchcore/method.ts";
import { PATCHCORE_OPTIONS, type PatchCoreOptions } from "../../../src/methods/patchcore/options.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { OptionError } from "../../../src/runtime/errors.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, toArray, zeros, type Tensor } from "../../../src/tensor/tensor.ts";
import { rng } from "../../harness/bounds.ts";
import { device } from "../../harness/device.ts";
import { madeUpPicture } from "../../harness/made_up_detector.ts";
import * as reference from "../../reference/patchcore.ts";
import { rowsOf } from "../../reference/nearest_rows.ts";

const [SIDE, CHANNELS, IMAGES, SEED] = [4, 12, 7, 5];
const CLOSE = 1e-4; // relative: of f32 sums, over f64 ones
const STREAM = { projection: 1, start: 2 };

/** Cells in clusters, as of textures, `[count, SIDE, SIDE, CHANNELS]`. */
function cellsOf(count: number, key: number, spread = 1): Float32Array {
  const [centre, random] = [rng(1), rng(key)];
  const centres = Array.from({ length: 5 * CHANNELS }, () => 6 * centre());
  return Float32Array.from(
    { length: count * SIDE * SIDE * CHANNELS },
    (_, i) => centres[(Math.floor(i / CHANNELS) % 5) * CHANNELS + (i % CHANNELS)]! + spread * random(),
  );
}

const GOOD = cellsOf(IMAGES, 2);
const spec = { height: SIDE, width: SIDE, channels: CHANNELS, variance: 1, images: IMAGES };

const features: FeatureSource = {
  count: IMAGES,
  batch: (indices) => {
    const each = SIDE * SIDE * CHANNELS;
    const values = Float32Array.from(indices.flatMap((i) => [...GOOD.subarray(i * each, (i + 1) * each)]));
    return Promise.resolve(fromArray(device, [indices.length, SIDE, SIDE, CHANNELS], values));
  },
};

const resolved = (options: PatchCoreOptions): MethodOptions => resolveOptions("patchcore", PATCHCORE_OPTIONS, options);

function begun(given: PatchCoreOptions): Fit {
  const options = resolved(given);
  const std = zeros(device, [CHANNELS]);
  return patchcore.begin(patchcore.configure(spec, options), options, {
    weights: Weights.drawn(device),
    features,
    anomalies: null,
    std,
    seed: SEED,
  });
}

async function fitted(options: PatchCoreOptions): Promise<Fit> {
  const fit = begun(options);
  for await (const _step of fit.steps());
  return fit;
}

const bankOf = async (fit: Fit): Promise<number[][]> =>
  rowsOf(await toArray(fit.model.weights.states.get("bank")!), CHANNELS);

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>): void {
  expect(got.length).toBe(want.length);
  const scale = Math.max(...Array.from(want));
  Array.from(got).forEach((value, i) =>
    expect(Math.abs(value - want[i]!) <= CLOSE * scale, `${i}: ${value}, expected ${want[i]}`).toBe(true),
  );
}

describe.each([
  ["projected, no re-weighting", { coreset: 0.25, projection: 6, neighbours: 1 }],
  ["not projected, re-weighted by 9", { coreset: 0.3, projection: 0, neighbours: 9 }],
  ["fewer channels than the projection would have, re-weighted by 2", { coreset: 1, projection: 128, neighbours: 2 }],
] as const)("PatchCore is what float64 says it is: %s,", (_what, options) => {
  const cells = IMAGES * SIDE * SIDE;
  const rows = Math.round(options.coreset * cells);
  const start = Math.floor(new RandomStream(SEED, STREAM.start).unit() * cells);
  const isProjected = options.projection > 0 && options.projection < CHANNELS;
  const projection = isProjected
    ? new RandomStream(SEED, STREAM.projection).normals(
        CHANNELS * options.projection,
        1 / Math.sqrt(options.projection),
      )
    : null;
  const bank = reference.bankOf({ channels: CHANNELS, rows, start, projection }, GOOD);

  test("the bank", async () => {
    const fit = await fitted(options);
    expect(await bankOf(fit)).toEqual(bank);
    expect(fit.model.config).toEqual({
      height: SIDE,
      width: SIDE,
      channels: CHANNELS,
      rows,
      neighbours: options.neighbours,
    });
  });

  test("distances, maps and images' scores", async () => {
    const { model } = await fitted(options);
    const seen = cellsOf(3, 9, 1.5);
    const size = 56;
    const read = () => {
      using _scope = device.scope();
      const scores = model.score(fromArray(device, [3, SIDE, SIDE, CHANNELS], seen));
      const { map, score } = imageScores(scores, patchcore.scoring({}), size, null);
      return Promise.all([scores.map, map, score].map((tensor: Tensor) => toArray(tensor)));
    };
    const [distances, maps, scores] = (await read()) as [Float32Array, Float32Array, Float32Array];
    const images = Array.from({ length: 3 }, (_, n) =>
      rowsOf(seen, CHANNELS).slice(n * SIDE * SIDE, (n + 1) * SIDE * SIDE),
    );
    const wanted = images.map((image) => reference.distances(bank, image));
    expectClose(distances, wanted.flat());
    expectClose(
      maps,
      wanted.flatMap((image) => Array.from(reference.smoothed(image, SIDE, size))),
    );
    expectClose(
      scores,
      images.map((image) => reference.imageScore(bank, image, options.neighbours)),
    );
  });
});

test("cells of the bank are at distance 0, and all cells of the training set where it keeps all", async () => {
  const { model } = await fitted({ coreset: 1, projection: 0 });
  const batch = await features.batch([0, 6]);
  expect(Math.max(...(await toArray(model.score(batch).map)))).toBe(0);
});

test("where it keeps all cells and none were held out, there is no threshold, and that is said; folds make one", async () => {
  async function* pictures() {
    for (const key of [1, 2, 3]) yield { className: "plate", image: madeUpPicture(64, key) };
  }
  const train = async (folds: number) => {
    const options = { method: "patchcore", inputSize: 64, coreset: 1, projection: 0, folds } as const;
    const training = await Training.begin(device, pictures(), options);
    for await (const _step of training.fit());
    return { training, detector: training.finish() };
  };
  const { training, detector } = await train(0);
  await expect(detector).rejects.toThrow(OptionError);
  await expect(detector).rejects.toThrow(/all 3 good images of class plate .* score 0, .* set folds to at least 2/);
  training.release();
  const held = await (await train(3)).detector;
  expect(held.config.calibration.threshold).toBeGreaterThan(0);
  held.release();
});

test("until the coreset is complete the bank is zero, then the rows chosen so far and the first in place of the others", async () => {
  const fit = begun({ coreset: 1, projection: 0, batch: 3 });
  const whole = await bankOf(await fitted({ coreset: 1, projection: 0 }));
  let chosen = 0;
  for await (const { stage, step } of fit.steps()) {
    const bank = await bankOf(fit);
    if (stage === "bank") {
      expect(new Set(bank.flat())).toEqual(new Set([0]));
      continue;
    }
    chosen = Math.min(1 + 64 * step, whole.length);
    expect(bank).toEqual(whole.map((row, i) => (i < chosen ? row : whole[0]!)));
  }
  expect(chosen).toBe(whole.length);
});

test("the coreset does not depend on how many images a step gathers", async () => {
  const [one, all] = await Promise.all([1, 100].map(async (batch) => bankOf(await fitted({ coreset: 0.2, batch }))));
  expect(one).toEqual(all);
});

test("the bank has a row at least, and one for each neighbour; more neighbours than cells are refused", () => {
  const configured = (options: PatchCoreOptions, images = 1): Json =>
    patchcore.configure({ ...spec, images }, resolved(options));
  expect(configured({ coreset: 0.001 })).toMatchObject({ rows: 1 });
  expect(configured({ coreset: 0.001, neighbours: 9 })).toMatchObject({ rows: 9 });
  expect(configured({ coreset: 0.5 }, 10)).toMatchObject({ rows: 80 });
  expect(() => patchcore.configure({ ...spec, height: 2, width: 2, images: 2 }, resolved({ neighbours: 9 }))).toThrow(
    "patchcore: expected neighbours of at most the 8 cells of all images, got 9",
  );
});

test("more cells than the device can hold at a time are refused with the number of images that it can", () => {
  const many = { count: 1 << 20, batch: features.batch };
  const options = resolved({});
  const config = patchcore.configure({ ...spec, height: 64, width: 64, images: many.count }, options);
  const begin = () =>
    patchcore.begin(config, options, {
      weights: Weights.drawn(device),
      features: many,
      anomalies: null,
      std: zeros(device, [CHANNELS]),
      seed: 0,
    });
  expect(begin).toThrow(
    /^patchcore: the cells of 1048576 images take \d+ bytes, more than the \d+ bytes .+; train on \d+ images, or tiles, at most$/,
  );
});

test("a state that no fit has is refused", async () => {
  const fit = begun({ coreset: 1, projection: 0, batch: 4 });
  const { json, tensors } = await fit.state();
  const changed = (changes: object) => () => fit.restore({ json: { ...(json as object), ...changes }, tensors });
  const start = "patchcore: expected";
  expect(changed({ position: undefined })).toThrow(`${start} a position and the rows chosen in the state of the fit`);
  expect(changed({ chosen: "all" })).toThrow(`${start} a position and the rows chosen`);
  expect(changed({ position: { stage: "bank", step: 2 } })).toThrow(`${start} a position within the plan`);
  expect(changed({ position: { stage: "other", step: 0 } })).toThrow(`${start} a position within the plan`);
  expect(changed({ position: { stage: "coreset", step: 1 } })).toThrow(`${start} 65 of 112 rows`);
  const chosen = Array.from({ length: 65 }, (_, i) => i);
  expect(changed({ position: { stage: "coreset", step: 1 }, chosen: [...chosen.slice(1), 112] })).toThrow(
    `${start} 65 of 112 rows`,
  );
  expect(changed({ position: { stage: "coreset", step: 1 }, chosen })).toThrow(
    `${start} 112 distances in the state of the fit, got none`,
  );
  expect(() => fit.restore({ json: null, tensors })).toThrow(`${start} a position and the rows chosen`);
  fit.restore({ json, tensors });
  fit.release();
});
