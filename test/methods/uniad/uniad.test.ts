import { describe, expect, test } from "vitest";
import type { FeatureSource, Fit } from "../../../src/methods/method.ts";
import { uniAdConfig } from "../../../src/methods/uniad/config.ts";
import { droppingOf, jittered } from "../../../src/methods/uniad/fit.ts";
import { uniad } from "../../../src/methods/uniad/method.ts";
import { UNIAD_OPTIONS, type UniAdOptions } from "../../../src/methods/uniad/options.ts";
import { neighbourMask, positions } from "../../../src/methods/uniad/transformer.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { normal } from "../../../src/ops/random.ts";
import { OptionError } from "../../../src/runtime/errors.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, toArray, zeros } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { hashed } from "../../harness/summaries.ts";

const [SIDE, CHANNELS, IMAGES] = [6, 8, 8];
const EXTENTS = { height: SIDE, width: SIDE, channels: CHANNELS };
const SMALL: UniAdOptions = {
  layers: 1,
  hidden: 16,
  attentionHeads: 2,
  feedForward: 32,
  window: 3,
  batch: 8,
  jitter: 2,
};
const settingsOf = (options: UniAdOptions, pretrained = false) =>
  resolveOptions("uniad", UNIAD_OPTIONS, options, { pretrained });

/** Images of two kinds: stripes down or across, of a phase of their own, in channels of different factors. */
function stripes(image: number): Float32Array {
  const values = new Float32Array(SIDE * SIDE * CHANNELS);
  for (let i = 0; i < values.length; i++) {
    const [channel, cell] = [i % CHANNELS, Math.floor(i / CHANNELS)];
    const along = image % 2 === 0 ? cell % SIDE : Math.floor(cell / SIDE);
    values[i] = Math.sin(along + 0.4 * image) * (channel - 3.2) + (image % 2);
  }
  return values;
}

const source: FeatureSource = {
  count: IMAGES,
  batch: (indices) => {
    const values = Float32Array.from(indices.flatMap((i) => [...stripes(i)]));
    return Promise.resolve(fromArray(device, [indices.length, SIDE, SIDE, CHANNELS], values));
  },
};

function begun(options: UniAdOptions, seed = 5): Fit {
  const settings = settingsOf({ ...SMALL, ...options });
  const config = uniad.configure({ ...EXTENTS, variance: 1, images: IMAGES }, settings);
  const [weights, std] = [Weights.drawn(device), zeros(device, [CHANNELS])];
  return uniad.begin(config, settings, { weights, features: source, anomalies: null, std, seed });
}

test("the mask hides the square of neighbours around each cell, and nothing else", async () => {
  const [height, width] = [4, 5];
  for (const window of [1, 3, 5, 7]) {
    const config = { ...uniAdConfig({ height, width, channels: 1 }, { window: 1 }), window };
    const values = await toArray(neighbourMask(device, config)!);
    expect(values).toHaveLength((height * width) ** 2);
    for (let h = 0; h < height; h++) {
      for (let w = 0; w < width; w++) {
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const isNear = 2 * Math.abs(row - h) < window && 2 * Math.abs(column - w) < window;
            const at = (h * width + w) * height * width + row * width + column;
            expect(values[at], `window ${window}, from ${h},${w} to ${row},${column}`).toBe(
              isNear ? Math.fround(-1e9) : 0,
            );
          }
        }
      }
    }
  }
  expect(neighbourMask(device, uniAdConfig(EXTENTS, { window: 0 }))).toBeNull();
});

test("a position is that of its column, then that of its row", async () => {
  using _scope = device.scope({ awaits: true });
  const weights = Weights.drawn(device);
  const config = uniAdConfig({ height: 3, width: 4, channels: 1 }, { hidden: 4, attentionHeads: 1, window: 1 });
  const { make } = positions({ weights, prefix: "position", random: new RandomStream(1, 0) }, config);
  const made = make();
  expect(made.shape).toEqual([1, 12, 4]);
  const [values, rows, columns] = await Promise.all(
    [made, weights.parameters.get("position.rows")!, weights.parameters.get("position.columns")!].map((tensor) =>
      toArray(tensor),
    ),
  );
  expect(rows!.every((x) => x > 0 && x < 1)).toBe(true);
  for (let token = 0; token < 12; token++) {
    const [row, column] = [Math.floor(token / 4), token % 4];
    expect([...values!.subarray(4 * token, 4 * token + 4)]).toEqual([
      ...columns!.subarray(2 * column, 2 * column + 2),
      ...rows!.subarray(2 * row, 2 * row + 2),
    ]);
  }
});

test("jitter is normal noise in proportion to the length of a cell's features", async () => {
  using _scope = device.scope({ awaits: true });
  const shape = [2, 3, 3, 5];
  const features = hashed(shape, 3, (u, i) => u * (1 + Math.floor(i / 5)));
  const draw = { seed: 7, stream: 3, step: 2 };
  const [seen, plain, noise] = await Promise.all(
    [jittered(features, 20, draw), features, normal(device, shape, draw)].map((tensor) => toArray(tensor)),
  );
  seen!.forEach((x, i) => {
    const first = i - (i % 5);
    const length = Math.hypot(...plain!.subarray(first, first + 5));
    expect(x).toBeCloseTo(plain![i]! + (noise![i]! * length * 20) / 5, 3);
  });
});

test("every place of dropout has numbers of its own, and the same ones when it is computed again", async () => {
  using _scope = device.scope({ awaits: true });
  const ones = fromArray(device, [400], new Float32Array(400).fill(1));
  const dropping = droppingOf(0.25, (place) => ({ seed: 1, stream: 4 + place, step: 0 }));
  const [first, second] = [dropping(), dropping()];
  const [a, again, b] = await Promise.all([first(ones), first(ones), second(ones)].map((tensor) => toArray(tensor)));
  expect(again).toEqual(a);
  expect(b).not.toEqual(a);
  expect(Math.abs(a!.filter((x) => x === 0).length / 400 - 0.25)).toBeLessThan(0.08);
  expect(droppingOf(0, () => ({ seed: 1, stream: 4, step: 0 }))()(ones)).toBe(ones);
});

test("learns to reconstruct images of two kinds, and a cell that differs scores highest", async () => {
  const fit = begun({ steps: 250, learningRate: 3e-3, dropout: 0, jitter: 1 });
  const losses: number[] = [];
  for await (const { loss } of fit.steps()) if (loss !== null) losses.push(loss);
  expect(losses).toHaveLength(25);
  expect(losses.at(-1)!).toBeLessThan(0.3 * losses[0]!);
  for (const image of [0, 1]) {
    const odd = stripes(image);
    const cell = 2 * SIDE + 3;
    for (let c = 0; c < CHANNELS; c++) odd[cell * CHANNELS + c]! += c % 2 === 0 ? 4 : -4;
    const map = await toArray(fit.model.score(fromArray(device, [1, SIDE, SIDE, CHANNELS], odd)).map);
    expect(map.indexOf(Math.max(...map)), `image ${image}`).toBe(cell);
  }
  fit.release();
  fit.model.weights.release();
});

test("the learning rate falls to a tenth after four fifths of the epochs", async () => {
  const fit = begun({ steps: 10, dropout: 0, weightDecay: 0 });
  const weight = fit.model.weights.all().get("output.weight")!;
  let before = await toArray(weight);
  const moved: number[] = [];
  for await (const _step of fit.steps()) {
    const after = await toArray(weight);
    moved.push(Math.hypot(...after.map((x, i) => x - before[i]!)));
    before = after;
  }
  expect(moved).toHaveLength(10);
  expect(moved[8]! / moved[7]!).toBeLessThan(0.2);
  expect(moved[7]! / moved[6]!).toBeGreaterThan(0.5);
  fit.release();
  fit.model.weights.release();
});

test("jitter and dropout are drawn anew in each step, from the seed alone, in the share of steps that is asked for", async () => {
  const lossesOf = async (options: UniAdOptions, seed = 5) => {
    const fit = begun({ steps: 30, learningRate: 0, ...options }, seed);
    const losses: number[] = [];
    for await (const { loss } of fit.steps()) if (loss !== null) losses.push(loss);
    fit.release();
    fit.model.weights.release();
    return losses;
  };
  // the same weights in every step, and all images in each, in another order
  const still = await lossesOf({ jitter: 0, dropout: 0 });
  for (const loss of still) expect(loss).toBeCloseTo(still[0]!, 4);
  for (const options of [
    { jitter: 8, dropout: 0 },
    { jitter: 0, dropout: 0.5 },
  ]) {
    const [some, again, others] = [await lossesOf(options), await lossesOf(options), await lossesOf(options, 6)];
    expect(new Set(some).size).toBe(3);
    expect(again).toEqual(some);
    expect(others).not.toEqual(some);
  }
});

describe("options", () => {
  test("go by the network, and that by the backbone", () => {
    expect(settingsOf({})).toMatchObject({
      network: "small",
      layers: 2,
      hidden: 64,
      attentionHeads: 4,
      feedForward: 256,
      jitter: 8,
      steps: 400,
    });
    expect(settingsOf({}, true)).toMatchObject({
      network: "published",
      layers: 4,
      hidden: 256,
      attentionHeads: 8,
      feedForward: 1024,
      jitter: 20,
    });
    expect(settingsOf({ network: "small" }, true)).toMatchObject({ hidden: 64, learningRate: 1e-3, jitter: 20 });
    expect(settingsOf({ network: "published", layers: 6 })).toMatchObject({ layers: 6, learningRate: 1e-4, window: 7 });
  });

  test.each([
    [{ hidden: 7, attentionHeads: 7 }, "uniad: expected hidden to be even and a multiple of the 7 heads, got 7"],
    [{ hidden: 30 }, "uniad: expected hidden to be even and a multiple of the 4 heads, got 30"],
    [{ window: 4 }, "uniad: expected window to be odd, or 0 for none, got 4"],
    [{ window: 7 }, "uniad: expected a window that leaves each of 6 x 6 cells others to see, got 7"],
    [{ unheardOf: 1 }, "uniad: unknown option unheardOf"],
  ])("%j are refused", (options, message) => {
    const configure = () => uniAdConfig(EXTENTS, options as UniAdOptions);
    expect(configure).toThrow(OptionError);
    expect(configure).toThrow(message);
  });

  test("a window is wide enough as long as one side leaves others", () => {
    expect(uniAdConfig({ height: 6, width: 8, channels: 1 }, { window: 7 })).toMatchObject({ window: 7 });
    expect(uniAdConfig(EXTENTS, { window: 5 })).toMatchObject({ window: 5 });
    expect(uniAdConfig({ height: 1, width: 1, channels: 1 }, { window: 0 })).toMatchObject({ window: 0 });
  });

  test("a network that is smaller than the published one is told of", () => {
    const remarksOf = (options: UniAdOptions) => uniad.remarks(uniAdConfig({ ...EXTENTS, height: 14 }, options));
    expect(remarksOf({})).toEqual([
      "UniAD has a transformer of 2 + 2 layers of 64 channels here, for software adapters and few channels; the published one, of 4 + 4 layers of 256 channels, is network published",
    ]);
    expect(remarksOf({ network: "published" })).toEqual([]);
  });
});
