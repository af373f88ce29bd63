import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, ENOUGH, SHORT, type Outcome } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

// One small set and one model for all tests: a few pictures, few steps.
await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 3, defective: 2, seed: 2 });
const train = (root: string, run: string, ...words: string[]) =>
  bigrid(["train", root, "--out", run, ...SHORT, ...words]);
const trained = await train(at("set"), at("run"), ...ENOUGH);

const METRICS = ["imageAuroc", "imageAp", "imageF1Max", "pixelAuroc", "pixelAp", "pixelF1Max", "pixelAupro"];

describe("from photographs to verdicts", () => {
  test("train writes a model and its log, and nothing else", async () => {
    expect(trained).toMatchObject({ code: 0 });
    expect((await readdir(at("run"))).sort()).toEqual([
      "config.json",
      "images.json",
      "model.safetensors",
      "train.jsonl",
    ]);
    const { metadata, tensors } = decodeSafetensors(await readFile(at("run", "model.safetensors")), "model");
    expect(metadata["format"]).toBe("bigrid-detector");
    expect(tensors.has("normal.localGrid")).toBe(true);
    const [first] = (await readFile(at("run", "train.jsonl"), "utf8")).split("\n");
    expect(JSON.parse(first!)).toMatchObject({ stage: "abnormal", step: 10 });
  });

  test("the same seed gives the same bytes, another one others", async () => {
    await train(at("set", "plate"), at("seed1"), "--seed", "1");
    await train(at("set", "plate"), at("again"), "--seed", "1");
    await train(at("set", "plate"), at("seed2"), "--seed", "2");
    const model = (run: string) => readFile(at(run, "model.safetensors"));
    expect((await model("again")).equals(await model("seed1"))).toBe(true);
    expect((await model("seed2")).equals(await model("seed1"))).toBe(false);
  });

  test("eval prints one JSON object and finds the defects", async () => {
    const { code, stdout } = await bigrid([
      "eval",
      at("run"),
      at("set"),
      "--json",
      "--no-report",
      "--resamples",
      "200",
    ]);
    expect(code).toBe(0);
    const { report, skipped, ...measured } = JSON.parse(stdout) as {
      classes: Record<string, Record<string, number>>;
      mean: Record<string, number>;
      intervals: {
        level: number;
        classes: Record<string, Record<string, [number, number]>>;
        mean: Record<string, [number, number]>;
      };
      pixels: Record<string, { method: string; count: number; errors: Record<string, number> }>;
      skipped: { image: string; reason: string }[];
      report: string | null;
    };
    const { classes, mean, intervals, pixels } = measured;
    expect(Object.keys(measured)).toEqual(["classes", "mean", "intervals", "pixels"]);
    expect(skipped).toEqual([]);
    expect(report).toBeNull();
    expect(Object.keys(classes)).toEqual(["plate", "weave"]);
    for (const [metrics, ranges] of [
      ...Object.keys(classes).map((name) => [classes[name]!, intervals.classes[name]!] as const),
      [mean, intervals.mean] as const,
    ]) {
      expect(Object.keys(metrics)).toEqual(METRICS);
      for (const [name, value] of Object.entries(metrics)) {
        const [low, high] = ranges[name]!;
        expect(0 <= low && low <= value && value <= high && high <= 1, `${name}: ${low} ${value} ${high}`).toBe(true);
      }
    }
    expect(pixels["plate"]).toEqual({
      method: "exact",
      count: 9 * 64 * 64,
      errors: Object.fromEntries(METRICS.map((name) => [name, 0])),
    });
    expect(mean["imageAuroc"]).toBeGreaterThan(0.8);
    expect(mean["pixelAuroc"]).toBeGreaterThan(0.8);
    const before = decodeSafetensors(await readFile(at("run", "model.safetensors")), "model");
    const table = await bigrid(["eval", at("run"), at("set"), "--save", "--no-report", "--resamples", "200"]);
    expect(table.stdout).toMatch(/^class +image AUROC/);
    const after = decodeSafetensors(await readFile(at("run", "model.safetensors")), "model");
    expect(after.metadata).toEqual({ ...before.metadata, metrics: JSON.stringify(measured) });
    expect(after.tensors).toEqual(before.tensors);
    expect((await readdir(at("run"))).sort()).toEqual([
      "config.json",
      "images.json",
      "model.safetensors",
      "train.jsonl",
    ]);
  });

  test("eval streams pixels on demand, and says how far they may be off", async () => {
    const measured = async (...words: string[]) => {
      const { stdout } = await bigrid([
        "eval",
        at("run"),
        at("set"),
        "--json",
        "--no-report",
        "--resamples",
        "0",
        ...words,
      ]);
      return JSON.parse(stdout) as {
        mean: Record<string, number>;
        classes: Record<string, Record<string, number>>;
        intervals: null;
        pixels: Record<string, { method: string; errors: Record<string, number> }>;
      };
    };
    const [exact, streamed] = [await measured("--metrics", "exact"), await measured("--metrics", "streaming")];
    expect(streamed.intervals).toBeNull();
    for (const [name, { method, errors }] of Object.entries(streamed.pixels)) {
      expect(method).toBe("streaming");
      for (const metric of METRICS) {
        const off = Math.abs(streamed.classes[name]![metric]! - exact.classes[name]![metric]!);
        expect(
          off <= errors[metric]! + 1e-12 && errors[metric]! < 0.01,
          `${name} ${metric}: ${off} of ${errors[metric]}`,
        ).toBe(true);
      }
    }
    const { stdout } = await bigrid([
      "eval",
      at("run"),
      at("set"),
      "--no-report",
      "--resamples",
      "0",
      "--metrics",
      "streaming",
    ]);
    expect(stdout).toMatch(
      /plate: pixel metrics of 36864 pixels were streamed, and are at most 0\.0*[1-9] percentage points off/,
    );
  });

  test("eval writes a report beside the model, or where it is told, and shows names as text", async () => {
    const hostile = "<img src=x onerror=window.hacked=1>.png";
    await cp(at("set", "weave"), at("named"), { recursive: true });
    await rename(at("named", "test", "good", "000.png"), at("named", "test", "good", hostile));
    const page = at("pages", "weave.html");
    const { code, stdout } = await bigrid(["eval", at("run"), at("named"), "--report", page, "--resamples", "50"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`report  ${page}`);
    const html = await readFile(page, "utf8");
    expect(html).toContain("<title>run on named</title>");
    expect(html).toContain(JSON.stringify(hostile).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e"));
    expect(html).not.toContain("<img src=x");
    const hash = createHash("sha256")
      .update(await readFile(at("run", "model.safetensors")))
      .digest("hex");
    expect(html).toContain(hash);
    expect(html).toContain('"stage":"normal"'); // the losses that the training logged

    const beside = await bigrid(["eval", at("run"), at("named"), "--resamples", "50", "--json"]);
    expect((JSON.parse(beside.stdout) as { report: string }).report).toBe(at("run", "report.html"));
    expect(await readFile(at("run", "report.html"), "utf8")).toContain(hash);
    await rm(at("run", "report.html"));
  });

  test("eval says of a class what cannot be measured, and measures the others", async () => {
    await cp(at("set"), at("gaps"), { recursive: true });
    await rm(at("gaps", "plate", "test"), { recursive: true });
    await rm(at("gaps", "weave", "ground_truth"), { recursive: true });
    const { code, stdout } = await bigrid(["eval", at("run"), at("gaps"), "--no-report", "--resamples", "50"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^plate( +-){7}$/m);
    expect(stdout).toMatch(/^weave( +[\d.]+){3}( +-){4}$/m);
    expect(stdout).toContain("plate: no test images, so nothing is measured");
    expect(stdout).toContain("weave: no masks of its defects, so pixel metrics are undefined");
  });

  test("predict gives a score, a verdict and a heat map of the photograph's size, and goes on after a bad image", async () => {
    await mkdir(at("mixed"));
    const noise = Uint8Array.from({ length: 3 * 96 * 80 }, (_, i) => (i * 7919) % 256);
    const jpeg = await sharp(noise, { raw: { width: 96, height: 80, channels: 3 } })
      .jpeg()
      .toBuffer();
    await writeFile(at("mixed", "photo.jpg"), jpeg);
    await writeFile(at("mixed", "cut.jpg"), jpeg.subarray(0, jpeg.length / 2));
    const good = at("set", "weave", "test", "good", "000.png");
    const { code, stdout, stderr } = await bigrid([
      "predict",
      at("run"),
      at("mixed", "cut.jpg"),
      good,
      at("mixed", "photo.jpg"),
      "--out",
      at("heat"),
      "--json",
    ]);
    expect(code).toBe(0);
    const { images, skipped, threshold } = JSON.parse(stdout) as {
      threshold: number;
      images: { image: string; score: number; calibrated: number; verdict: string; heatMap: string }[];
      skipped: { image: string; reason: string }[];
    };
    expect(images.map(({ image }) => image)).toEqual([at("mixed", "photo.jpg"), good]); // in order of their paths
    for (const { score, calibrated, verdict } of images) {
      expect(verdict).toBe(score > threshold ? "defective" : "good");
      expect(calibrated > 0.5).toBe(score > threshold);
    }
    expect(images[0]!.verdict).toBe("defective"); // noise is no cloth
    const { width, height, format } = await sharp(images[0]!.heatMap).metadata();
    expect([width, height, format]).toEqual([96, 80, "png"]);
    expect(skipped).toEqual([
      {
        image: at("mixed", "cut.jpg"),
        reason: `cannot read ${at("mixed", "cut.jpg")}: the image is cut off or damaged`,
      },
    ]);
    expect(stderr).toContain("skipped 1 of 3 images");
    expect(stderr).toMatch(
      /the model knows 2 classes: without --class, .+ the highest threshold, (plate|weave)'s [\d.]+, .+ may be missed; --class (plate|weave) judges by that/,
    );
    const known = await bigrid(["predict", at("run"), good, "--out", at("heat"), "--json", "--class", "weave"]);
    const { classes } = (
      JSON.parse(decodeSafetensors(await readFile(at("run", "model.safetensors")), "model").metadata["config"]!) as {
        calibration: { classes: Record<string, { threshold: number }> };
      }
    ).calibration;
    expect(JSON.parse(known.stdout)).toMatchObject({ threshold: classes["weave"]!.threshold });
    expect(known.stderr).not.toContain("--class");
    const unknown = await bigrid(["predict", at("run"), good, "--out", at("heat"), "--class", "wave"]);
    expect(unknown.stderr).toContain("the model knows no class wave, only plate, weave");
  });

  test("demo makes its pictures, trains, evaluates and writes a report, all of it in one folder", async () => {
    const { code, stdout } = await bigrid(["demo", "--out", at("demo"), "--size", "64", "--json"]);
    expect(code).toBe(0);
    const { mean, model, report } = JSON.parse(stdout) as {
      mean: Record<string, number>;
      model: string;
      report: string;
    };
    expect(mean["imageAuroc"]).toBeGreaterThan(0.85);
    expect(mean["pixelAuroc"]).toBeGreaterThan(0.9);
    expect((await readdir(at("demo"))).sort()).toEqual([
      "config.json",
      "images",
      "images.json",
      "model.safetensors",
      "report.html",
      "train.jsonl",
    ]);
    expect(model).toBe(at("demo", "model.safetensors"));
    expect(await readFile(report, "utf8")).toContain("Synthetic inspection set");
  });

  test("info names the adapter, what switches are set, and what the driver withholds", async () => {
    const { code, stdout } = await bigrid(["info", "--json"]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as {
      adapter: { description: string };
      switches: { name: string; on: boolean; purpose: string }[];
      missing: string[];
    };
    expect(report.adapter.description).not.toBe("");
    const told = (await bigrid(["info"])).stdout;
    for (const { name, on, purpose } of report.switches)
      expect(told).toContain(`switch    ${name} ${on ? "on" : "off"}: ${purpose}\n`);
    for (const feature of report.missing) expect(told).toMatch(new RegExp(`^missing   ${feature}: `, "m"));
    expect(report.switches.map(({ name, on }) => `${name} ${on}`)).toContain("timestamp_quantization false");
  });
});

describe("wrong input ends in one line", () => {
  const lines = (text: string) => text.split("\n").filter((line) => line !== "");

  async function expectOneLine(outcome: Promise<Outcome>, message: string, code = 1): Promise<void> {
    const { stderr, stdout, code: got } = await outcome;
    expect(stdout).toBe("");
    expect(lines(stderr).at(-1)).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(got).toBe(code);
  }

  test("an empty folder, and one of text", async () => {
    await mkdir(at("empty"));
    await expectOneLine(train(at("empty"), at("x")), "empty: no images, it is empty");
    await mkdir(at("texts"));
    await writeFile(at("texts", "a.txt"), "a");
    await expectOneLine(train(at("texts"), at("x")), "texts: no images, none of its 1 files is one");
    await expectOneLine(train(at("nowhere"), at("x")), "it does not exist");
  });

  test("an image of one pixel, and nothing left to learn from", async () => {
    await mkdir(at("dots"));
    await sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } })
      .png()
      .toFile(at("dots", "dot.png"));
    const outcome = await train(at("dots"), at("x"));
    expect(outcome.stderr).toContain("dot.png is 1x1 pixels; at least 8x8 are needed");
    await expectOneLine(Promise.resolve(outcome), "training needs at least two good images, got 0");
  });

  test("a damaged image among good ones: named, skipped and counted; fatal with --strict; the old model stays", async () => {
    const cutFolder = at("partly");
    await mkdir(cutFolder);
    for (const name of ["000", "001", "002"])
      await writeFile(
        join(cutFolder, `${name}.png`),
        await readFile(at("set", "weave", "train", "good", `${name}.png`)),
      );
    await writeFile(join(cutFolder, "003.png"), (await readFile(join(cutFolder, "000.png"))).subarray(0, 500));
    const { code, stderr } = await train(cutFolder, at("partlyRun"));
    expect(code).toBe(0);
    expect(stderr).toContain(`skipped: cannot read ${join(cutFolder, "003.png")}:`);
    expect(stderr).toContain("skipped 1 of 4 images that cannot be used (--strict makes this an error)");
    const before = await readFile(at("partlyRun", "model.safetensors"));
    await expectOneLine(train(cutFolder, at("partlyRun"), "--strict"), `cannot read ${join(cutFolder, "003.png")}`);
    expect((await readFile(at("partlyRun", "model.safetensors"))).equals(before)).toBe(true);
    expect((await readdir(at("partlyRun"))).sort()).toEqual([
      "config.json",
      "images.json",
      "model.safetensors",
      "train.jsonl",
    ]);
  });

  test("a run that is none, and a model that is none", async () => {
    await expectOneLine(bigrid(["eval", at("set"), at("set")]), "is no run: it holds no model.safetensors");
    await mkdir(at("broken"));
    await writeFile(at("broken", "model.safetensors"), "no model");
    await expectOneLine(bigrid(["eval", at("broken"), at("set")]), "is not a valid safetensors file");
    await expectOneLine(bigrid(["eval", at("none"), at("set")]), "cannot read the run");
  });

  test("an output that cannot be written, before any work", async () => {
    await writeFile(at("file"), "");
    await expectOneLine(
      bigrid(["eval", at("run"), at("set"), "--report", at("set")]),
      `cannot write ${at("set")}: it is a folder; name a file in it`,
    );
    await expectOneLine(
      bigrid(["eval", at("run"), at("set"), "--report", at("file", "x.html")]),
      `cannot write ${at("file", "x.html")}: a part of the path is a file, not a folder`,
    );
    await expectOneLine(train(at("set"), at("file", "run")), "a part of the path is a file, not a folder");
    await expectOneLine(
      bigrid(["predict", at("run"), at("set", "weave", "test", "good", "000.png"), "--out", at("file")]),
      "a part of the path is a file, not a folder",
    );
  });

  test("no adapter: what to install, or the variable that names no driver", async () => {
    await writeFile(at("driver.json"), "{}");
    const refused = async (files: string, message: string): Promise<void> => {
      const outcome = await bigrid(["info"], { VK_DRIVER_FILES: files, VK_ICD_FILENAMES: at("other.json") });
      expect(lines(outcome.stderr)).toHaveLength(1);
      await expectOneLine(Promise.resolve(outcome), `no WebGPU adapter: ${message}`);
    };
    await refused(at("driver.json"), "install");
    const files = [at("driver.json"), at("none.json")].join(delimiter);
    await refused(files, `VK_DRIVER_FILES names ${at("none.json")}, and nothing is there: unset it, or name`);
    await refused("", `VK_ICD_FILENAMES names ${at("other.json")}, and nothing is there: unset it, or name`);
  });

  test("wrong usage ends with 2 and says how to go on", async () => {
    for (const words of [
      ["frobnicate"],
      ["train"],
      ["train", "x", "--out", "y", "--batch", "many"],
      ["train", "x", "--out", "y", "--decoder", "huge"],
    ]) {
      const { code, stderr } = await bigrid(words);
      expect(code).toBe(2);
      expect(stderr).toContain("--help says more");
    }
    expect((await bigrid(["--help"])).code).toBe(0);
    expect((await bigrid(["train", "--help"])).stdout).not.toContain("--epochs-abnormal");
    expect((await bigrid(["train", "--method", "grad", "--help"])).stdout).toContain("--epochs-abnormal");
  });
});
