import { describe, expect, test } from "vitest";
import { imageScores } from "../../../src/detection/scoring.ts";
import { trainDetector } from "../../../src/detection/train_detector.ts";
import type { FeatureSource, Fit, FitInput } from "../../../src/methods/method.ts";
import { padimConfig } from "../../../src/methods/padim/config.ts";
import { gaussiansFor } from "../../../src/methods/padim/gaussians.ts";
import { padim } from "../../../src/methods/padim/method.ts";
import { PADIM_OPTIONS, type PadimOptions } from "../../../src/methods/padim/options.ts";
import { Weights } from "../../../src/nn/weights.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { empty, fromArray, toArray, zeros, type Tensor } from "../../../src/tensor/tensor.ts";
import golden from "../../golden/padim.json";
import { device } from "../../harness/device.ts";
import { madeUpPicture } from "../../harness/made_up_detector.ts";
import { madeUp, uniform } from "../../harness/made_up_network.ts";
import { expectSameScores } from "../../onnx/onnxruntime.ts";

const { side, tested, size } = golden.sizes;
const CLOSE = 1e-4;
const [GOOD_KEY, SEEN_KEY, MEAN_KEY] = [1, 5000, 9000];

/** As tools/golden/padim.py makes them: `[count, side, side, channels]`. */
function cellsOf(count: number, channels: number, key: number, spread: number, cells = side * side): Float32Array {
  const drawn = uniform(count * cells * channels, key);
  const mean = uniform(cells * channels, MEAN_KEY);
  return drawn.map((u, i) => {
    const before = i % channels === 0 ? i + channels - 1 : i - 1;
    return 2 * mean[i % mean.length]! + spread * (u + 0.5 * drawn[before]!);
  });
}

function sourceOf(values: Float32Array, count: number, shape: readonly [number, number, number]): FeatureSource {
  const each = values.length / count;
  return {
    count,
    batch: (indices) => {
      const chosen = Float32Array.from(indices.flatMap((i) => [...values.subarray(i * each, (i + 1) * each)]));
      return Promise.resolve(fromArray(device, [indices.length, ...shape], chosen));
    },
  };
}

const specOf = (images: number, channels: number, extent = side) => ({
  height: extent,
  width: extent,
  channels,
  variance: 1,
  images,
});

function begun(given: PadimOptions, images: number, channels: number, extent = side): Fit {
  const options = resolveOptions("padim", PADIM_OPTIONS, given);
  const good = cellsOf(images, channels, GOOD_KEY, 1, extent * extent);
  return padim.begin(padim.configure(specOf(images, channels, extent), options), options, {
    weights: Weights.drawn(device),
    features: sourceOf(good, images, [extent, extent, channels]),
    anomalies: null,
    std: zeros(device, [channels]),
    seed: 0,
  });
}

async function finished(fit: Fit): Promise<Fit> {
  for await (const _step of fit.steps());
  return fit;
}

const tensorsOf = async ({ model: { weights } }: Fit): Promise<readonly [mean: Float32Array, factor: Float32Array]> =>
  Promise.all([toArray(weights.states.get("mean")!), toArray(weights.states.get("factor")!)]);

function expectClose(got: ArrayLike<number>, want: readonly number[]): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, i) =>
    expect(Math.abs(got[i]! - value) <= CLOSE * value, `${i}: ${got[i]}, expected ${value}`).toBe(true),
  );
}

describe.each(golden.cases.map((row) => [row.name, row] as const))(
  "PaDiM has PyTorch's distances, maps and scores: %s",
  (_name, { images, channels, epsilon, distances, pixels, scores }) => {
    test("to 1e-4", async () => {
      const { model } = await finished(begun({ epsilon, batch: 4 }, images, channels));
      const seen = cellsOf(tested, channels, SEEN_KEY, 2);
      const read = () => {
        using _scope = device.scope();
        const cells = model.score(fromArray(device, [tested, side, side, channels], seen));
        const { map, score } = imageScores(cells, padim.scoring({}), size, null);
        return Promise.all([cells.map, map, score].map((tensor: Tensor) => toArray(tensor)));
      };
      const [gotDistances, gotMap, gotScores] = (await read()) as [Float32Array, Float32Array, Float32Array];
      expectClose(gotDistances, distances);
      const isSampled = (i: number): boolean => Math.floor((i % size ** 2) / size) % 5 === 0 && (i % size) % 7 === 0;
      expectClose(
        gotMap.filter((_, i) => isSampled(i)),
        pixels,
      );
      expectClose(gotScores, scores);
      expect(model.config).toEqual(padimConfig(specOf(images, channels), { epsilon }));
    });
  },
);

test("both forms of a Gaussian give the same distances, in float64", () => {
  const [images, channels, epsilon] = [6, 10, 0.01];
  const good = cellsOf(images, channels, GOOD_KEY, 1);
  const config = padimConfig(specOf(images, channels), { epsilon });
  expect(config.rows).toBe(images);
  const both = [config, { ...config, rows: channels }].map((config) => {
    const gaussians = gaussiansFor(config, images);
    const each = good.length / images;
    for (let i = 0; i < images; i++) gaussians.add(good.subarray(i * each, (i + 1) * each));
    return gaussians;
  });
  const squareOf = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, value) => sum + value * value, 0);
  const seen = cellsOf(1, channels, SEEN_KEY, 2);
  for (let cell = 0; cell < side * side; cell++) {
    const [sampled, whitened] = both.map((gaussians) => {
      const { mean, factor } = gaussians.of(cell);
      const offset = Array.from(mean, (m, c) => seen[cell * channels + c]! - m);
      const rows = factor.length / channels;
      const image = Array.from({ length: rows }, (_, r) =>
        offset.reduce((sum, x, c) => sum + factor[r * channels + c]! * x, 0),
      );
      return rows === channels ? squareOf(image) : (squareOf(offset) - squareOf(image)) / epsilon;
    }) as [number, number];
    expect(Math.abs(sampled / whitened - 1)).toBeLessThan(1e-10);
  }
});

test("cells that all images share are at distance 0, and those that nothing was fitted to at |x| / sqrt(epsilon)", async () => {
  const [images, channels, extent, epsilon] = [4, 5, 9, 0.04];
  const shared = cellsOf(1, channels, SEEN_KEY, 1, extent * extent);
  const options = resolveOptions("padim", PADIM_OPTIONS, { epsilon });
  const all = Float32Array.from({ length: images * shared.length }, (_, i) => shared[i % shared.length]!);
  const fit = padim.begin(padim.configure(specOf(images, channels, extent), options), options, {
    weights: Weights.drawn(device),
    features: sourceOf(all, images, [extent, extent, channels]),
    anomalies: null,
    std: zeros(device, [channels]),
    seed: 0,
  });
  const seen = fromArray(device, [1, extent, extent, channels], shared);
  const distances = async () => [...(await toArray(fit.model.score(seen).map))];
  const unfitted = Array.from({ length: extent * extent }, (_, cell) =>
    Math.sqrt(shared.slice(cell * channels, (cell + 1) * channels).reduce((sum, x) => sum + x * x, 0) / epsilon),
  );
  expectClose(await distances(), unfitted);
  const taken: string[] = [];
  for await (const { stage, step, steps } of fit.steps()) {
    taken.push(`${stage} ${step}/${steps}`);
    const fitted = stage === "cells" ? 0 : step === 1 ? 64 : extent * extent;
    const got = await distances();
    expect(Math.max(0, ...got.slice(0, fitted))).toBeLessThan(1e-6);
    expectClose(got.slice(fitted), unfitted.slice(fitted));
  }
  expect(taken).toEqual(["cells 1/1", "gaussians 1/2", "gaussians 2/2"]);
});

test.each([
  ["fewer images than dimensions", 5, 8],
  ["more images than dimensions", 9, 6],
] as const)("Gaussians do not depend on how many images a step reads: %s", async (_what, images, channels) => {
  const [one, all] = await Promise.all(
    [1, 100].map(async (batch) => tensorsOf(await finished(begun({ batch }, images, channels)))),
  );
  expect(one).toEqual(all);
});

test.skipIf(!device.gpu.features.has("shader-f16"))(
  "in half precision whitening factors are f16 and distances nearly the same; where images are few they stay f32",
  async () => {
    for (const [images, channels] of [
      [20, 8],
      [6, 8],
    ] as const) {
      const fit = await finished(begun({}, images, channels));
      const seen = fromArray(device, [tested, side, side, channels], cellsOf(tested, channels, SEEN_KEY, 2));
      const { model } = fit;
      const want = [...(await toArray(model.score(seen).map))];
      model.weights.freeze("f16");
      const got = await toArray(model.score(seen).map);
      want.forEach((value, i) => expect(Math.abs(got[i]! / value - 1)).toBeLessThan(5e-3));
      if (images > channels) expect([...got]).not.toEqual(want);
      else expect([...got]).toEqual(want);
      expect(model.weights.states.has("factor")).toBe(images < channels);
      model.weights.release();
    }
  },
);

test("channels are reduced where there are more than dimensions", () => {
  const stages = [
    { name: "fine", stride: 8, channels: 70 },
    { name: "coarse", stride: 16, channels: 60 },
  ];
  const channelsFor = (given: PadimOptions) =>
    padim.assembly(resolveOptions("padim", PADIM_OPTIONS, given), { stages, standardise: false });
  expect(channelsFor({})).toMatchObject({ channels: { kind: "projection", count: 100, seed: 0 } });
  expect(channelsFor({ dimensions: 12, reduction: "subset", reductionSeed: 3 })).toMatchObject({
    stages: ["fine", "coarse"],
    enlarge: "nearest",
    channels: { kind: "subset", count: 12, seed: 3 },
    standardise: { mean: 0, variance: 1 },
  });
  for (const dimensions of [130, 131]) expect(channelsFor({ dimensions })).toMatchObject({ channels: "all" });
});

/** A fit on a device that computes nothing, to see what it holds. */
function inputOn(own: Device, images: number, shape: readonly [number, number, number]): FitInput {
  return {
    weights: Weights.blank(own),
    features: { count: images, batch: (indices) => Promise.resolve(empty(own, [indices.length, ...shape])) },
    anomalies: null,
    std: empty(own, [shape[2]]),
    seed: 0,
  };
}

test("80 images of 28 x 28 cells take less than 64 MB of the device, in training and in scoring", async () => {
  const { device: idle, held } = device.dryRun();
  const options = resolveOptions("padim", PADIM_OPTIONS, {});
  const assembly = padim.assembly(options, {
    stages: [{ name: "joined", stride: 8, channels: 272 }],
    standardise: false,
  });
  const { channels } = assembly as { readonly channels: { readonly count: number } };
  const config = padim.configure(specOf(80, channels.count, 28), options);
  const fit = padim.begin(config, options, inputOn(idle, 80, [28, 28, channels.count]));
  for await (const _step of fit.steps());
  fit.model.weights.freeze();
  idle.tidy(() => void fit.model.score(empty(idle, [8, 28, 28, channels.count])));
  expect(held.peakBytes).toBeGreaterThan(25e6); // of the factors alone: 784 x 100 x 80 numbers
  expect(held.peakBytes).toBeLessThan(64e6);
});

test.each([
  ["more images than dimensions", 1 << 20],
  ["fewer images than dimensions", 60],
] as const)("too many dimensions for the device are refused with how many fit: %s", (_what, images) => {
  const options = resolveOptions("padim", PADIM_OPTIONS, {});
  const bytesFor = (dimensions: number): number => 4 * 64 * 64 * dimensions * Math.min(images, dimensions);
  const begin = (dimensions: number): Fit => {
    const config = padim.configure(specOf(images, dimensions, 64), options);
    return padim.begin(config, options, inputOn(device.dryRun().device, images, [64, 64, dimensions]));
  };
  const refused =
    /^padim: the Gaussians of 64 x 64 cells of 16384 dimensions take \d+ bytes, more than the \d+ bytes that a dispatch can see on this device; set dimensions to (\d+) at most$/;
  expect(() => begin(16384)).toThrow(refused);
  let message = "";
  try {
    begin(16384);
  } catch (error) {
    message = (error as Error).message;
  }
  const most = Number(refused.exec(message)![1]);
  expect(bytesFor(most)).toBeLessThanOrEqual(device.maxBindingBytes);
  expect(bytesFor(most + 1)).toBeGreaterThan(device.maxBindingBytes);
});

test("a state that no fit has is refused", async () => {
  const fit = begun({ batch: 2 }, 5, 4);
  const { json, tensors } = await fit.state();
  expect(json).toEqual({ position: { stage: "cells", step: 0 } });
  for (const position of [undefined, 7, { stage: "cells", step: 3 }, { stage: "other", step: 0 }, { stage: "cells" }]) {
    expect(() => fit.restore({ json: { position } as never, tensors })).toThrow(
      "padim: expected a position within the plan in the state of the fit, got {",
    );
  }
  expect(() => fit.restore({ json: null, tensors })).toThrow("padim: expected a position");
  fit.restore({ json, tensors });
  fit.release();
});

test("onnxruntime gives the same scores where images are few, maps are enlarged to the nearest and channels projected", async () => {
  async function* pictures() {
    for (const key of [1, 2, 3, 4]) yield { className: "plate", image: madeUpPicture(64, key) };
  }
  const detector = await trainDetector(device, pictures(), {
    method: "padim",
    backbone: "resnet18",
    stages: ["layer2", "layer3"],
    weights: madeUp("resnet18"),
    inputSize: 64,
    dimensions: 20,
  });
  expect(detector.config.assembly).toMatchObject({ enlarge: "nearest", channels: { kind: "projection", count: 20 } });
  await expectSameScores(
    detector,
    [5, 6].map((key) => madeUpPicture(64, key)),
  );
  detector.release();
});
