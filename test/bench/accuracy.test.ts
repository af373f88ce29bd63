import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import {
  BEGIN,
  END,
  addResult,
  holds,
  readResults,
  resultTables,
  withTables,
  type Result,
} from "../../bench/accuracy/results.ts";
import { nearestNeighbours } from "../../bench/accuracy/nearest.ts";
import { mapsPath, readMaps, writeMaps } from "../../bench/accuracy/maps.ts";
import { bestAndWorst, quantileOf } from "../../bench/accuracy/pictures.ts";
import { readChoices } from "../../bench/accuracy/choices.ts";
import {
  commonChoices,
  leaveOneOut,
  meanFigures,
  meanRanks,
  protocolTables,
  scoreboardOf,
} from "../../bench/accuracy/protocol.ts";
import { device } from "../harness/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const metrics = {
  imageAuroc: 0.9,
  imageAp: 0.5,
  imageF1Max: 0.5,
  pixelAuroc: null,
  pixelAp: null,
  pixelF1Max: null,
  pixelAupro: null,
};
const result: Result = {
  dataset: "tiles",
  backbone: "embedded",
  choice: "both",
  seed: 0,
  options: { decoder: "tiny", inputSize: 64 },
  images: { train: 8, test: 4 },
  metrics,
  peakAuroc: 0.25,
  seconds: 90,
  adapter: "an adapter",
  commit: "abc",
};
const another: Result = {
  ...result,
  atThreshold: { falseReject: 0.01, recall: 0.7 },
  seed: 1,
  seconds: 30,
  metrics: { ...metrics, imageAuroc: 0.8 },
};
const baseline: Result = { ...result, choice: "nearest cell", seed: null, options: { inputSize: 64 } };

test("a table has a line a choice: means, standard deviations over seeds, and what is undefined as such", () => {
  const lines = resultTables([baseline, result, another]).split("\n");
  expect(lines[0]).toBe("**tiles**, embedded: 8 good images, 4 test images; inputSize 64, an adapter, commit abc.");
  expect(lines.slice(4)).toEqual([
    "| nearest cell | - | 90.0 | 50.0 | 50.0 | - | - | - | - | 25.0 | - | - | 1.5 |",
    "| both | 2 | 85.0 ± 7.1 | 50.0 ± 0.0 | 50.0 ± 0.0 | - | - | - | - | 25.0 ± 0.0 | 1.0 | 70.0 | 1.0 |",
  ]);
});

test("images of another size and other datasets have tables of their own", () => {
  const wide = { ...result, choice: "wide", options: { decoder: "mobile", inputSize: 64 } };
  const larger = { ...result, options: { decoder: "tiny", inputSize: 128 } };
  const tables = resultTables([baseline, result, wide, larger, { ...result, dataset: "leather" }])
    .split("\n\n")
    .filter((part) => part.startsWith("|"));
  expect(tables.map((table) => table.split("\n").length)).toEqual([5, 3, 3]);
});

test("tables replace the ones before, and nothing else of a document", () => {
  const first = withTables(`before\n${BEGIN}\n${END}\nafter`, "one");
  expect(withTables(first, "two")).toBe(`before\n${BEGIN}\n\ntwo\n\n${END}\nafter`);
  expect(() => withTables("none", "one")).toThrow("expected the marks");
});

test("a file keeps each result once, and knows which there are", async () => {
  const path = `${await temporaryFolder()}/results.json`;
  expect(await readResults(path)).toEqual([]);
  await addResult(path, result);
  await addResult(path, another);
  await addResult(path, { ...result, seconds: 1 });
  const kept = await readResults(path);
  expect(kept).toEqual([another, { ...result, seconds: 1 }]);
  expect(holds(kept, result)).toBe(true);
  expect(holds(kept, { ...result, seed: 2 })).toBe(false);
  expect(holds(kept, { ...result, options: { decoder: "mobile" } })).toBe(false);
});

test.each([1, 3])(
  "nearest neighbours, of means of %i x as many cells, are at distance 0 of what was seen, and as far as the features say of what was not",
  async (window) => {
    const [cells, channels, size] = [4, 2, 64];
    const plain = (value: number): Float32Array => new Float32Array(cells * cells * channels).fill(value);
    const images = [plain(1), plain(4)].map((features, i) => ({
      path: `${i}.png`,
      defective: false,
      features,
      mask: null,
    }));
    const [same, far] = await nearestNeighbours(
      device,
      { cells, channels, size, scales: Float32Array.of(3, 4), classes: [] },
      { name: "c", train: [plain(1), plain(0)], test: images },
      window,
    );
    expect(same!.score).toBe(0);
    expect(far!.score).toBeCloseTo(3 * 5, 4);
    expect(far!.peak).toBeCloseTo(3 * 5, 4);
    expect(far!.map).toHaveLength(size * size);
  },
);

test("means of cells smooth what a single cell has", async () => {
  const [cells, channels, size] = [6, 1, 48];
  const even = new Float32Array(cells * cells);
  const spotted = even.slice();
  spotted[2 * cells + 2] = 9;
  const test = [{ path: "0.png", defective: true, features: spotted, mask: null }];
  const peaks: number[] = [];
  for (const window of [1, 3]) {
    const [only] = await nearestNeighbours(
      device,
      { cells, channels, size, scales: Float32Array.of(1), classes: [] },
      { name: "c", train: [even], test },
      window,
    );
    peaks.push(only!.peak);
  }
  expect(peaks[1]!).toBeGreaterThan(0);
  expect(peaks[1]!).toBeLessThan(peaks[0]! / 2);
});

test("maps are kept by the images' paths, and pictures show where the last choice gains and loses most", async () => {
  const folder = await temporaryFolder();
  const path = mapsPath(folder, { dataset: "tiles", backbone: "embedded", choice: "both nearest" });
  const map = Float32Array.of(0, 0.5, 1, 2);
  const scored = { path: "bad/1.png", defective: true, score: 2, peak: 2, map, mask: null, width: 2, height: 2 };
  await writeMaps(path, [scored]);
  expect([...(await readMaps(path))]).toEqual([["bad/1.png", map]]);
  expect(quantileOf([Float32Array.from({ length: 700 }, (_, i) => i)], 0.5)).toBe(350);
  const images = [
    { path: "a", precisions: [0.5, 0.2, 0.9] },
    { path: "b", precisions: [0.9, 0.2, 0.4] },
    { path: "c", precisions: [0.1, 0.3, 0.3] },
  ];
  const { best, worst } = bestAndWorst(images, 1);
  expect([best, worst].map((some) => some.map(({ path }) => path))).toEqual([["a"], ["b"]]);
  expect(bestAndWorst(images.slice(0, 1), 2)).toEqual({ best: images.slice(0, 1), worst: [] });
});

describe("the protocol", () => {
  /** Results of a choice on a dataset, one a seed, whose figures are all that of the image AUROC. */
  const runs = (dataset: string, choice: string, ...values: readonly number[]): Result[] =>
    values.map((value, seed) => ({
      ...result,
      dataset,
      choice,
      seed,
      metrics: { ...metrics, imageAuroc: value, imageAp: value, pixelAuroc: value, pixelAp: value, pixelAupro: value },
      peakAuroc: value,
    }));
  // "plain" is best on tiles and cookies, "deep" on leather; "new" was measured on one dataset alone.
  const results = [
    ...runs("tiles", "plain", 0.9, 0.8),
    ...runs("tiles", "deep", 0.7),
    ...runs("tiles", "new", 1),
    ...runs("leather", "plain", 0.5),
    ...runs("leather", "deep", 1),
    ...runs("cookies", "plain", 0.6),
    ...runs("cookies", "deep", 0.4),
  ];
  const board = scoreboardOf(results, "embedded");

  test("compares the choices that all datasets have, by means over seeds and datasets", () => {
    expect(commonChoices(board)).toEqual(["plain", "deep"]);
    expect(board.get("tiles")!.get("plain")!.imageAuroc).toBeCloseTo(0.85, 12);
    expect(meanFigures(board, "plain").pixelAp).toBeCloseTo((0.85 + 0.5 + 0.6) / 3, 12);
    expect(scoreboardOf(results, "resnet18").size).toBe(0);
  });

  test("ranks them, equal ones at the mean of their places", () => {
    expect(Object.fromEntries(meanRanks(board, ["plain", "deep"]))).toEqual({ plain: 4 / 3, deep: 5 / 3 });
    const equal = scoreboardOf([...runs("a", "x", 0.5), ...runs("a", "y", 0.5), ...runs("a", "z", 0.4)], "embedded");
    expect(Object.fromEntries(meanRanks(equal, ["x", "y", "z"]))).toEqual({ x: 1.5, y: 1.5, z: 3 });
  });

  test("chooses without the dataset that it reports on, even where that one would choose otherwise", () => {
    expect(leaveOneOut(board, ["plain", "deep"]).map(({ dataset, choice }) => [dataset, choice])).toEqual([
      ["tiles", "plain"], // leather and cookies disagree: the first of equals
      ["leather", "plain"], // though "deep" is better there
      ["cookies", "plain"],
    ]);
    expect(leaveOneOut(board, ["plain", "deep"])[1]!.figures.imageAuroc).toBe(0.5);
    expect(leaveOneOut(scoreboardOf(runs("tiles", "plain", 1), "embedded"), ["plain"])).toEqual([]);
  });

  test("leaves figures out of the ranks that a dataset does not have", () => {
    const unmarked = runs("a", "x", 0.5).map((run) => ({ ...run, metrics: { ...run.metrics, pixelAp: null } }));
    const ranks = meanRanks(scoreboardOf([...unmarked, ...runs("a", "y", 0.6)], "embedded"), ["x", "y"]);
    expect(Object.fromEntries(ranks)).toEqual({ x: 2, y: 1 });
  });

  test("is written as tables, once there are two datasets", () => {
    const tables = protocolTables(results).split("\n\n");
    expect(tables[0]).toBe("**Mean of tiles, leather, cookies**, embedded.");
    expect(tables[1]!.split("\n").slice(2)).toEqual([
      "| plain | 65.0 | 65.0 | 65.0 | 65.0 | 65.0 | 65.0 | 1.33 |",
      "| deep | 70.0 | 70.0 | 70.0 | 70.0 | 70.0 | 70.0 | 1.67 |",
    ]);
    expect(tables[2]!.split("\n")[3]).toBe("| leather | plain | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 |");
    expect(protocolTables(runs("tiles", "plain", 1))).toBe("");
  });
});

describe("a file of choices", () => {
  test("has trainings by their options, and searches by their window", async () => {
    const choices = await readChoices("bench/accuracy/choices.json", null);
    expect(choices.map(({ name }) => name)).toContain("both nearest");
    expect(await readChoices("bench/accuracy/choices.json", ["patchcore", "nearest cell"])).toEqual([
      { name: "patchcore", options: { method: "patchcore" } },
      { name: "nearest cell", window: 1 },
    ]);
  });

  test("is refused with what is wrong", async () => {
    const path = `${await temporaryFolder()}/choices.json`;
    const refusal = async (text: string, names: readonly string[] | null = null) => {
      await writeFile(path, text);
      return readChoices(path, names).then(
        () => "",
        (error: Error) => error.message,
      );
    };
    expect(await refusal('{"a": {"window": 2}}')).toContain(
      'expected a to be {"options": {...}} or {"window": an odd number}',
    );
    expect(await refusal('{"a": {"window": 3, "options": {}}}')).toContain("expected a to be");
    expect(await refusal('{"a": null}')).toContain("expected a to be");
    expect(await refusal('{"a": {"window": 1}}', ["b"])).toBe(`${path} has the choices a; got b`);
  });
});
