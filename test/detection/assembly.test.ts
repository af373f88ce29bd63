import { describe, expect, test } from "vitest";
import type { Backbone } from "../../src/backbones/backbone.ts";
import { chosenChannels, rawAssembly, readAssembly, semiOrthogonal, isScoring } from "../../src/detection/assembly.ts";
import { FeatureMaker } from "../../src/detection/features.ts";
import { Material } from "../../src/detection/material.ts";
import { resolveTraining } from "../../src/detection/training_options.ts";
import type { Assembly, FeatureAssembly } from "../../src/methods/method.ts";
import { patchcore } from "../../src/methods/patchcore/method.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { fromArray, toArray, zeros } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { madeUp } from "../harness/made_up_network.ts";
import * as resize from "../reference/resize.ts";

const [SIDE, BATCH] = [32, 2];
const STAGES = [
  { name: "fine", stride: 4, channels: 5 },
  { name: "middle", stride: 8, channels: 7 },
  { name: "coarse", stride: 16, channels: 4 },
];
const random = rng(8);
const MAPS = STAGES.map(({ stride, channels }) => {
  const cells = SIDE / stride;
  return {
    cells,
    channels,
    values: Float32Array.from({ length: BATCH * cells ** 2 * channels }, () => random() - 0.3),
  };
});

/** A backbone that makes the same maps of every image. */
const backbone: Backbone = {
  identity: { name: "made up", padding: null, weights: null },
  input: { side: SIDE, mean: [0, 0, 0], std: [1, 1, 1] },
  stages: STAGES,
  standardise: false,
  features: () => MAPS.map(({ cells, channels, values }) => fromArray(device, [BATCH, cells, cells, channels], values)),
  release: () => undefined,
};

const JOINED: FeatureAssembly = {
  stages: ["fine", "middle", "coarse"],
  localMean: 1,
  cells: "finest",
  enlarge: "bilinear",
  alignCorners: false,
  channels: "all",
  standardise: null,
};

/** Rows of channels, cell by cell, in float64. */
function expected({ stages, cells, enlarge, alignCorners, channels, standardise }: FeatureAssembly): number[][] {
  const chosen = MAPS.filter((_, i) => stages.includes(STAGES[i]!.name));
  const side = cells === "finest" ? chosen[0]!.cells : cells;
  const enlarged = chosen.map(({ cells, channels, values }) =>
    resize.forward(
      {
        batch: BATCH,
        height: cells,
        width: cells,
        channels,
        size: [side, side],
        mode: enlarge,
        alignCorners,
        antialias: false,
      },
      values,
    ),
  );
  return Array.from({ length: BATCH * side ** 2 }, (_, cell) => {
    const joined = chosen.flatMap(({ channels }, i) => [
      ...enlarged[i]!.subarray(cell * channels, (cell + 1) * channels),
    ]);
    let left = joined;
    if (channels !== "all") {
      const { kind, count, seed } = channels;
      const matrix = semiOrthogonal(joined.length, count, seed);
      left =
        kind === "subset"
          ? chosenChannels(joined.length, count, seed).map((c) => joined[c]!)
          : Array.from({ length: count }, (_, k) => joined.reduce((sum, x, c) => sum + x * matrix[c * count + k]!, 0));
    }
    if (standardise !== "unit") return left;
    const length = Math.hypot(...left);
    return left.map((value) => value / length);
  });
}

test.each<[string, Partial<FeatureAssembly>]>([
  ["all maps joined bilinearly", {}],
  ["corners aligned", { alignCorners: true }],
  ["the nearest cell", { enlarge: "nearest" }],
  ["fewer cells than the finest map has", { cells: 5 }],
  ["more cells than that, the nearest", { cells: 12, enlarge: "nearest" }],
  ["some of the stages", { stages: ["middle", "coarse"] }],
  ["one stage", { stages: ["coarse"] }],
  ["some of the channels", { channels: { kind: "subset", count: 6, seed: 1 } }],
  ["a projection", { channels: { kind: "projection", count: 9, seed: 2 } }],
  ["as many as there are, projected", { channels: { kind: "projection", count: 16, seed: 3 } }],
  ["features of length 1", { standardise: "unit" }],
  ["a projection of length 1", { channels: { kind: "projection", count: 3, seed: 2 }, standardise: "unit" }],
])("features are what float64 says they are: %s", async (_what, changes) => {
  const assembly = { ...JOINED, ...changes };
  const before = device.memory().bytes;
  const maker = new FeatureMaker(device, backbone, assembly, "stretch");
  const want = expected(assembly);
  const read = () => {
    using _scope = device.scope();
    const features = maker.raw(zeros(device, [BATCH, SIDE, SIDE, 3]));
    const { height, width, channels } = maker.extents;
    expect(features.shape).toEqual([BATCH, height, width, channels]);
    return toArray(features);
  };
  const got = await read();
  expect(got.length).toBe(want.flat().length);
  want.flat().forEach((value, i) => expect(Math.abs(got[i]! - value)).toBeLessThan(1e-5));
  maker.release();
  expect(device.memory().bytes).toBe(before);
});

test("a training loads no more stages of a backbone than its method takes", async () => {
  const weights = madeUp("resnet18");
  const settings = await resolveTraining({ method: "patchcore", backbone: "resnet18", inputSize: 64, weights });
  const learner = { ...patchcore, assembly: (): Assembly => ({ ...JOINED, stages: ["layer2"] }) };
  async function* images() {
    for (const key of [1, 2]) yield { className: "plate", image: madeUpPicture(64, key) };
  }
  const before = device.memory().bytes;
  const material = await Material.read(device, { ...settings, learner }, images());
  const { maker } = material.extractor;
  expect(maker.backbone.stages.map(({ name }) => name)).toEqual(["layer2"]);
  expect(maker.extents).toEqual({ height: 8, width: 8, channels: 128 });
  material.release();
  expect(device.memory().bytes).toBe(before);
});

test("an assembly of pixels gives back what the backbone would see", () => {
  const maker = new FeatureMaker(device, backbone, { pixels: true }, "stretch");
  const pixels = zeros(device, [1, SIDE, SIDE, 3]);
  expect(maker.raw(pixels)).toBe(pixels);
  expect(maker.extents).toEqual({ height: SIDE, width: SIDE, channels: 3 });
});

test.each<[string, Partial<FeatureAssembly>, string]>([
  [
    "an unknown stage",
    { stages: ["fine", "finer"] },
    "expected the stages fine,finer of the backbone, it has fine,middle,coarse",
  ],
  ["the coarsest first", { stages: ["coarse", "fine"] }, "expected the stages coarse,fine of the backbone"],
  ["no stage", { stages: [] }, "expected the stages  of the backbone"],
  [
    "more channels than there are",
    { channels: { kind: "subset", count: 17, seed: 0 } },
    "expected at most the 16 channels",
  ],
])("%s is refused", (_what, changes, message) => {
  const make = () => new FeatureMaker(device, backbone, { ...JOINED, ...changes }, "stretch");
  expect(make).toThrow(message);
  expect(make).toThrow(OptionError);
});

test("columns of a projection are orthonormal, and channels are drawn once each", () => {
  const [channels, count] = [40, 40];
  const matrix = semiOrthogonal(channels, count, 5);
  for (let a = 0; a < count; a++)
    for (let b = 0; b <= a; b++) {
      let product = 0;
      for (let c = 0; c < channels; c++) product += matrix[c * count + a]! * matrix[c * count + b]!;
      expect(product).toBeCloseTo(a === b ? 1 : 0, 6);
    }
  const drawn = chosenChannels(channels, 15, 5);
  expect(new Set(drawn).size).toBe(15);
  expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
  expect(drawn).not.toEqual(chosenChannels(channels, 15, 6));
});

describe("from a file", () => {
  test("an assembly written before there were cells, enlarging and channels to choose has those of then", () => {
    const old = { stages: ["layer3"], alignCorners: true, localMean: 1, standardise: null };
    expect(readAssembly(old)).toEqual({ ...old, cells: "finest", enlarge: "bilinear", channels: "all" });
    expect(readAssembly(JOINED)).toEqual(JOINED);
    expect(readAssembly({ pixels: true })).toEqual({ pixels: true });
  });

  test.each<[string, unknown]>([
    ["cells", 0],
    ["cells", "coarsest"],
    ["enlarge", "bicubic"],
    ["channels", "some"],
    ["channels", { kind: "subset", count: 0, seed: 0 }],
    ["channels", { kind: "sparse", count: 3, seed: 0 }],
    ["channels", { kind: "subset", count: 3, seed: -1 }],
    ["standardise", "max"],
    ["standardise", { mean: 0, variance: 0 }],
    ["localMean", 5],
    ["stages", []],
  ])("one whose %s is %j is none", (field, value) => {
    expect(readAssembly({ ...JOINED, [field]: value })).toBe(null);
  });

  test("a scoring is one of those that there are", () => {
    const scoring = { alignCorners: true, smoothing: null, image: { kind: "max" } };
    expect(isScoring(scoring)).toBe(true);
    expect(isScoring({ ...scoring, image: { kind: "topShare", share: 0.1 } })).toBe(true);
    for (const image of [{ kind: "topShare", share: 0 }, { kind: "topShare", share: 2 }, { kind: "mean" }, null])
      expect(isScoring({ ...scoring, image })).toBe(false);
  });
});

test("raw features are the same whatever is standardised over a training set, but not where each cell is divided", () => {
  const raw = (standardise: FeatureAssembly["standardise"]) => rawAssembly({ ...JOINED, standardise });
  expect(raw({ mean: 0.7, variance: 24 })).toEqual(raw(null));
  expect(raw("unit")).not.toEqual(raw(null));
  expect(rawAssembly({ pixels: true })).toEqual({ pixels: true });
});
