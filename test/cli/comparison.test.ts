import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compareResults, definedMetrics, type Comparison, type Entrant } from "../../src/cli/compare/comparison.ts";
import { methodNames, readContenders, seedList } from "../../src/cli/compare/contenders.ts";
import { chooseWorst } from "../../src/cli/compare/gallery.ts";
import { logAxis, percentAxis, scatterPlot } from "../../src/cli/compare/page/plots.ts";
import { unpackResampled, packResampled, Results, type Conditions } from "../../src/cli/compare/results.ts";
import { comparisonTable } from "../../src/cli/compare/table.ts";
import { bytesShown, conclusions, durationShown, listed, RATE, TRAINING } from "../../src/cli/compare/words.ts";
import { eachMetric } from "../../src/metrics/metrics.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { entrant, measured } from "../harness/comparison.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();

function compared(
  entrants: readonly Entrant[],
  changes: Partial<Parameters<typeof compareResults>[1]> = {},
): Comparison {
  return compareResults(entrants, {
    root: "/somewhere/parts",
    format: "mvtec",
    classes: [
      { name: "plate", train: [], test: [] },
      { name: "weave", train: [], test: [] },
    ],
    adapter: "an adapter",
    seeds: [0, 1],
    resamples: 3,
    failures: [],
    runOf: (method) => `runs/${method}`,
    ...changes,
  });
}

describe("a comparison", () => {
  test("has means over seeds and classes, their spread, and intervals of these means", () => {
    const { methods, dataset } = compared([
      entrant("a", [
        { values: { plate: 0.8, weave: 0.6 }, deviations: [-0.1, 0, 0.1], seconds: 1 },
        { values: { plate: 0.9, weave: 0.6 }, deviations: [-0.3, 0, 0.3], seconds: 4 },
      ]),
    ]);
    const [{ mean, classes, costs, run, seeds }] = methods as [Comparison["methods"][number]];
    const { value, std, interval, seeds: bySeed } = classes!["plate"]!.imageAuroc;
    expect(value).toBeCloseTo(0.85, 12);
    expect(std).toBeCloseTo(Math.SQRT1_2 * 0.1, 12);
    expect(bySeed).toEqual([0.8, 0.9]);
    // of the resamples 0.65, 0.85 and 1.05: linear between them
    expect(interval![0]).toBeCloseTo(0.66, 6);
    expect(interval![1]).toBeCloseTo(1.04, 6);
    expect(mean!.pixelAp.value).toBeCloseTo(0.725, 12);
    expect(mean!.pixelAp.std).toBeCloseTo(Math.SQRT1_2 * 0.05, 12);
    expect(mean!.pixelAp.interval![0]).toBeCloseTo(0.535, 6);
    expect(costs).toMatchObject({ seconds: { training: 2.5 }, imagesPerSecond: 10, modelBytes: 5e5 });
    expect([run, seeds, dataset.name]).toEqual(["runs/a", [0, 1], "parts"]);
  });

  test("calls level what the same resamples do not tell from the best, however wide the intervals are", () => {
    const wide = [-0.3, -0.1, 0, 0.1, 0.3];
    const values = (value: number) => ({ values: { plate: value }, deviations: wide });
    const { methods } = compared([
      entrant("best", [values(0.6)]),
      entrant("worse", [values(0.59)]), // in every resample, by a hundredth
      entrant("level", [{ values: { plate: 0.58 }, deviations: [-0.3, -0.1, 0.05, 0.1, 0.3] }]),
      entrant("equal", [values(0.6)]),
      entrant("unmarked", [{ ...values(0.59), pixels: false }]),
    ]);
    expect(methods.map(({ mean }) => mean!.imageAuroc.best)).toEqual([true, false, true, true, false]);
    expect(methods.map(({ mean }) => mean!.pixelAp.best)).toEqual([true, false, true, true, false]);
    expect(methods[4]!.mean!.pixelAp.value).toBeNull();
  });

  test("compares no resamples of different images, and none where there are none", () => {
    const image = (path: string) => ({ path, defect: "cut", defective: true, score: 0.9 });
    const one = { values: { plate: 0.6 }, deviations: [-0.1, 0, 0.1], images: [image("a.png")] };
    const other = { values: { plate: 0.55 }, deviations: [0.1, 0, -0.1] };
    const level = (second: typeof one) =>
      compared([entrant("a", [one]), entrant("b", [second])]).methods[1]!.mean!.imageAp.best;
    expect(level({ ...other, images: [image("a.png")] })).toBe(true);
    expect(level({ ...other, images: [image("b.png")] })).toBe(false);
    const without = compared([
      entrant("a", [{ ...one, deviations: [] }]),
      entrant("b", [{ ...other, deviations: [] }]),
    ]);
    expect(without.methods.map(({ mean }) => [mean!.imageAp.best, mean!.imageAp.interval])).toEqual([
      [true, null],
      [false, null],
    ]);
  });

  test("has a row for what failed, and says so in one line each", () => {
    const comparison = compared([entrant("a", [{ values: { plate: 0.9 } }], "A"), entrant("b", [], "B")], {
      failures: [
        { method: "a", seed: 1, reason: "training diverged" },
        { method: "b", seed: null, reason: "out of memory" },
      ],
    });
    expect(comparison.methods[1]).toMatchObject({ mean: null, classes: null, costs: null, run: null, seeds: [] });
    const lines = comparisonTable(comparison).split("\n");
    expect(lines.slice(-2)).toEqual(["A, seed 1 failed: training diverged", "B failed: out of memory"]);
    expect(lines.filter((line) => line.startsWith("B"))).toHaveLength(1);
  });

  test("leaves out metrics that no method has, and says why", () => {
    const comparison = compared([entrant("a", [{ values: { plate: 0.9 }, pixels: false }])]);
    expect(definedMetrics(comparison)).toEqual(["imageAuroc", "imageAp", "imageF1Max"]);
    expect(comparisonTable(comparison)).toContain("plate: no masks of its defects, so pixel metrics are undefined");
  });

  test("says in words what the figures do", () => {
    const comparison = compared([
      entrant("a", [{ values: { plate: 0.9 }, seconds: 8 }], "A"),
      entrant("b", [{ values: { plate: 0.9 }, seconds: 2 }], "B"),
      entrant("c", [{ values: { plate: 0.5 }, seconds: 4 }], "C"),
    ]);
    expect(conclusions(comparison)).toEqual([
      "A tells defective images from good ones best, with an image AUROC of 90.0 %; B is level with it on these images.",
      "A finds best where the defects are, with a pixel AP of 90.0 %; B is level with it on these images.",
      "B is trained soonest, in 2.5 s, and inspects fastest, 5 images a second.",
    ]);
    expect(listed(["A", "B", "C"])).toBe("A, B and C");
    expect([0.123, 42, 120, 250, 9000].map(durationShown)).toEqual(["0.12 s", "42 s", "2 min", "4.2 min", "2.5 h"]);
    expect([900, 18_032, 2.14e6, 3.2e9].map(bytesShown)).toEqual(["1 kB", "19 kB", "2.1 MB", "3.2 GB"]);
  });
});

describe("kept results", () => {
  const conditions: Conditions = {
    version: "1",
    adapter: "an adapter",
    images: "f".repeat(64),
    region: { roi: null, ignore: null },
    options: { batch: 8, inputSize: 64 },
    resamples: 3,
  };
  const path = join(folder, "results.jsonl");

  test("are there for the next process, under the same conditions alone", async () => {
    const result = measured({ values: { plate: 0.9 } });
    const results = await Results.open(path);
    await results.add("a", 0, conditions, { training: 0 });
    await results.add("a", 0, conditions, { trained: { seconds: 1, model: result.model } });
    await results.add("a", 0, conditions, { measured: result });
    await results.add("b", 0, conditions, { training: 12 });
    await results.close();
    await appendFile(path, '{"method":"b","seed":0,"cond'); // as a kill leaves it
    const again = await Results.open(path);
    expect(again.reached("a", 0, conditions).measured).toEqual(result);
    expect(again.reached("b", 0, { ...conditions, options: { inputSize: 64, batch: 8 } }).training).toBe(12);
    expect([again.reached("a", 1, conditions), again.changed("a", 1, conditions)]).toEqual([{}, []]);
    const changes: readonly (readonly [Partial<Conditions>, string])[] = [
      [{ version: "2" }, "bigrid's version"],
      [{ adapter: "another" }, "the adapter"],
      [{ images: "0".repeat(64) }, "the images"],
      [{ region: { roi: "0,0,9,9", ignore: null } }, "the region of interest"],
      [{ options: { batch: 4, inputSize: 64 } }, "the options"],
      [{ resamples: 9 }, "--resamples"],
    ];
    for (const [change, words] of changes) {
      expect(again.reached("a", 0, { ...conditions, ...change })).toEqual({});
      expect(again.changed("a", 0, { ...conditions, ...change })).toEqual([words]);
    }
    await again.close();
  });

  test("are refused where the file is another, or was changed, and left as they are", async () => {
    const [other, changed] = [join(folder, "other.jsonl"), join(folder, "changed.jsonl")];
    await writeFile(other, '{"format":"bigrid-predictions"}\n');
    await expect(Results.open(other)).rejects.toThrow(
      "is not from a comparison of this version of bigrid: name another folder",
    );
    expect(await readFile(other, "utf8")).toBe('{"format":"bigrid-predictions"}\n');
    await (await Results.open(changed)).close();
    await appendFile(changed, '{"method":"a","seed":-1,"conditions":{}}\n');
    await expect(Results.open(changed)).rejects.toThrow("was changed by another program");
  });

  test("hold resamples as f32, undefined ones as such", () => {
    const values = eachMetric((name) => [0.1, null, name === "pixelAp" ? null : 1]);
    const decoded = unpackResampled(packResampled(values));
    expect(decoded.pixelAp).toEqual([Math.fround(0.1), null, null]);
    expect(decoded.imageAp).toEqual([Math.fround(0.1), null, 1]);
  });
});

test("the gallery has the four images that each method judges worst, those that are most wrong first", () => {
  const image = (path: string, defective: boolean, score: number) => ({ path, defect: "x", defective, score });
  const scored = (scores: readonly number[]) =>
    measured({
      values: { plate: 0.9 },
      images: scores.map((score, i) => image(`${i}.png`, i % 2 === 0, score)),
    });
  const chosen = chooseWorst([
    { method: "a", measured: scored([0.1, 0.2, 0.6, 0.15, 0.9, 0.1, 0.9, 0.1]) },
    { method: "b", measured: scored([0.9, 0.15, 0.05, 0.99, 0.9, 0.1, 0.9, 0.3]) },
  ]);
  expect(chosen.map(({ image: { path }, by }) => [path, by.join()])).toEqual([
    ["3.png", "a,b"],
    ["2.png", "a,b"],
    ["0.png", "a"],
    ["7.png", "b"],
    ["1.png", "a,b"],
  ]);
});

test("axes hold what is drawn, with a few round numbers", () => {
  expect(percentAxis([97.1, 99.9])).toEqual({ low: 97, high: 100, ticks: [97, 98, 99, 100] });
  expect(percentAxis([100, 100])).toEqual({ low: 99.5, high: 100, ticks: [99.5, 100] });
  expect(percentAxis([3, 88])).toMatchObject({ low: 0, high: 100 });
  const { ticks: times } = logAxis([50, 400], TRAINING.round);
  expect(times.map(TRAINING.shown)).toEqual(["60 s", "2 min", "5 min"]);
  for (const values of [[0.02], [3, 4], [1, 40], [0.001, 900]]) {
    const { low, high, ticks } = logAxis(values, RATE.round);
    expect(low).toBeLessThan(Math.min(...values));
    expect(high).toBeGreaterThan(Math.max(...values));
    expect(ticks.length).toBeGreaterThanOrEqual(2);
    expect(ticks.length).toBeLessThanOrEqual(9);
    for (const tick of ticks) expect(tick >= low && tick <= high).toBe(true);
  }
});

test("labels of points in one place are one below another, inside the plot", () => {
  const points = (value: number) =>
    Array.from({ length: 5 }, (_, i) => ({
      method: { title: `M${i}`, colour: "c1" },
      x: 10 + i / 100,
      y: { value: value + i / 100, interval: null, seeds: [] },
    }));
  for (const value of [99.95, 0, 50]) {
    const plot = scatterPlot("title", "note", points(value), RATE);
    const tops = [...plot.matchAll(/class="point [^"]*" style="[^"]*top:(-?[\d.]+)px"/g)].map(([, top]) => Number(top));
    expect(tops).toHaveLength(5);
    const sorted = tops.sort((a, b) => a - b);
    for (let i = 1; i < 5; i++) expect(sorted[i]! - sorted[i - 1]!).toBeGreaterThan(16);
    expect(sorted[0]).toBeGreaterThanOrEqual(0);
    expect(sorted[4]).toBeLessThanOrEqual(250);
  }
});

describe("the compared methods", () => {
  const read = (set: readonly string[], methods = "padim,patchcore", flags: object = {}) =>
    readContenders({ methods: methodNames(methods), set, ...flags });

  test("take options of all trainings, and of their own", async () => {
    const set = ["falseReject=0.05", "padim.dimensions=7", "patchcore.coreset=0.3"];
    const [padim, patchcore] = await read(set, "padim,patchcore", { size: 96 });
    expect(padim!.settings).toMatchObject({ falseReject: 0.05, inputSize: 96, options: { dimensions: 7 } });
    expect(patchcore!.settings).toMatchObject({ falseReject: 0.05, inputSize: 96, options: { coreset: 0.3 } });
  });

  test("refuse options of others, unknown ones, and a seed, with what there is", async () => {
    await expect(read(["grad.rows=7"])).rejects.toThrow(
      "--set grad.rows=7: expected name=value, or METHOD.name=value of a compared method (padim, patchcore)",
    );
    await expect(read(["padim.coreset=0.3"])).rejects.toThrow(OptionError);
    await expect(read(["dimensions=7"])).rejects.toThrow("unknown option dimensions; there are backbone");
    await expect(read(["seed=7"])).rejects.toThrow("unknown option seed");
    await expect(read(["padim.dimensions"])).rejects.toThrow("--set takes name=value");
  });

  test("are named with commas, and their seeds too, each once", () => {
    expect(methodNames("padim, grad,padim")).toEqual(["padim", "grad"]);
    expect(methodNames("all").length).toBeGreaterThanOrEqual(4);
    expect(() => methodNames("padim,none")).toThrow("are needed");
    expect(seedList("3,1, 3")).toEqual([3, 1]);
    for (const text of ["", "a", "1,,2", "-1", "4294967296"]) expect(() => seedList(text)).toThrow("whole numbers");
  });
});
