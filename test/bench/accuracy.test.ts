import { expect, test } from "vitest";
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
const another = { ...result, seed: 1, seconds: 30, metrics: { ...metrics, imageAuroc: 0.8 } };
const baseline: Result = { ...result, choice: "nearest cell", seed: null, options: { inputSize: 64 } };

test("a table has a line a choice: means, standard deviations over seeds, and what is undefined as such", () => {
  const lines = resultTables([result, another, baseline]).split("\n");
  expect(lines[0]).toBe(
    "**tiles**, embedded: 8 good images, 4 test images; decoder tiny, inputSize 64, an adapter, commit abc.",
  );
  expect(lines.slice(4)).toEqual([
    "| nearest cell | - | 90.0 | 50.0 | 50.0 | - | - | - | - | 25.0 | 1.5 |",
    "| both | 2 | 85.0 ± 7.1 | 50.0 ± 0.0 | 50.0 ± 0.0 | - | - | - | - | 25.0 ± 0.0 | 1.0 |",
  ]);
});

test("other options and other datasets have tables of their own, each with the baseline that sees the same", () => {
  const mobile = { ...result, options: { decoder: "mobile", inputSize: 64 } };
  const larger = { ...result, options: { decoder: "tiny", inputSize: 128 } };
  const tables = resultTables([result, mobile, larger, { ...result, dataset: "leather" }, baseline])
    .split("\n\n")
    .filter((part) => part.startsWith("|"));
  expect(tables.map((table) => table.split("\n").length)).toEqual([4, 4, 3, 3]);
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
    const images = [plain(1), plain(4)].map((features) => ({ defective: false, features, mask: null }));
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
  const test = [{ defective: true, features: spotted, mask: null }];
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
