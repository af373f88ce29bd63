// Photographs by tiles on the command line: trained, measured, predicted, exported and served.
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { ensureFolder } from "../../src/node/files/files.ts";
import type { RunImages } from "../../src/node/run_images.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid } from "./program.ts";
import { startService } from "./service.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const [WIDTH, HEIGHT, SPOT] = [400, 300, 8];

/** Writes a striped photograph, with a spot if there is a place for it, and the spot's mask. */
async function photograph(path: string, seed: number, spot: readonly [left: number, top: number] | null = null) {
  const rgb = new Uint8Array(3 * WIDTH * HEIGHT);
  const marks = new Uint8Array(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const isSpot = spot && x >= spot[0] && x < spot[0] + SPOT && y >= spot[1] && y < spot[1] + SPOT;
      const noise = ((Math.imul(x + 7919 * y + 104_729 * seed, 2_654_435_761) >>> 16) & 15) - 8;
      rgb.fill(isSpot ? 25 : 140 + 30 * Math.sin(x / 3 + seed) + noise, 3 * (y * WIDTH + x), 3 * (y * WIDTH + x) + 3);
      if (isSpot) marks[y * WIDTH + x] = 255;
    }
  }
  const raw = { width: WIDTH, height: HEIGHT };
  await ensureFolder(at("set", "test", "spot"));
  await ensureFolder(at("set", "test", "good"));
  await ensureFolder(at("set", "train", "good"));
  await ensureFolder(at("set", "ground_truth", "spot"));
  await sharp(rgb, { raw: { ...raw, channels: 3 } })
    .png()
    .toFile(at("set", path));
  if (!spot) return;
  const mask = at("set", path.replace("test", "ground_truth").replace(".png", "_mask.png"));
  await sharp(marks, { raw: { ...raw, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toFile(mask);
}

const SPOTS = [
  [120, 200],
  [300, 40],
] as const;
const QUICK = ["--method", "patchcore", "--size", "64", "--set", "coreset=0.02", "--set", "folds=0"] as const;
const TILES = ["--tile", "128", "--overlap", "16"] as const;

beforeAll(async () => {
  for (const i of [0, 1, 2]) await photograph(`train/good/${i}.png`, i);
  for (const i of [0, 1]) await photograph(`test/good/${i}.png`, 10 + i);
  for (const [i, spot] of SPOTS.entries()) await photograph(`test/spot/${i}.png`, 20 + i, spot);
  const trained = await bigrid(["train", at("set"), "--out", at("run"), ...QUICK, ...TILES]);
  expect(trained).toMatchObject({ code: 0 });
});

test("train keeps the tiles in the model and in the configuration, which is one to train with", async () => {
  const config = JSON.parse(await readFile(at("run", "config.json"), "utf8")) as Record<string, unknown>;
  expect(config).toMatchObject({ tile: 128, overlap: 16, inputSize: 64, resize: "stretch" });
  await writeFile(at("own.json"), JSON.stringify({ ...config, saveEvery: 3, autoBatch: true }));
  expect(await bigrid(["train", at("set"), "--out", at("again"), "--config", at("own.json")])).toMatchObject({
    code: 0,
  });
  expect(await readFile(at("again", "model.safetensors"))).toEqual(await readFile(at("run", "model.safetensors")));
});

test("eval measures by the tiles of the model, and its report says so", async () => {
  const { code, stdout } = await bigrid(["eval", at("run"), at("set"), "--json"]);
  expect(code).toBe(0);
  const { mean, pixels } = JSON.parse(stdout) as {
    mean: { imageAuroc: number; pixelAuroc: number };
    pixels: Record<string, { count: number }>;
  };
  expect(mean.imageAuroc).toBe(1);
  expect(mean.pixelAuroc).toBeGreaterThan(0.95);
  expect(Object.values(pixels)[0]!.count).toBe(4 * (WIDTH / 2) * (HEIGHT / 2));
  expect(await readFile(at("run", "report.html"), "utf8")).toContain(
    "tiles of 128 x 128 pixels, which share 16, resized to 64 x 64",
  );
});

test("predict finds defects in the photograph's pixels, with pictures of its size, whatever the batch", async () => {
  const outputs = ["--masks", at("out", "masks"), "--contours", at("out", "contours")];
  const predict = (out: string, ...more: string[]) =>
    bigrid(["predict", at("run"), at("set", "test"), "--out", at(out), ...more]);
  expect(await predict("out", ...outputs)).toMatchObject({ code: 0 });
  expect(await predict("one", "--batch", "1")).toMatchObject({ code: 0 });
  const read = async (out: string) => (await readFile(at(out, "results.jsonl"), "utf8")).trim().split("\n");
  const results = (await read("out")).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(results.map(({ verdict }) => verdict)).toEqual(["good", "good", "defective", "defective"]);
  for (const [i, [left, top]] of SPOTS.entries()) {
    const { defects, width, height } = results[2 + i] as {
      defects: { bbox: [number, number, number, number] }[];
      width: number;
      height: number;
    };
    expect([width, height]).toEqual([WIDTH, HEIGHT]);
    expect(defects).toHaveLength(1);
    const [x, y, w, h] = defects[0]!.bbox;
    expect(x <= left && y <= top && x + w >= left + SPOT && y + h >= top + SPOT).toBe(true);
    expect(Math.max(w, h)).toBeLessThan(200);
    for (const kind of ["heat", "masks", "contours"]) {
      const { width, height, channels } = await sharp(at("out", kind, "spot", `${i}.png`)).metadata();
      expect([width, height, channels]).toEqual([WIDTH, HEIGHT, kind === "masks" ? 1 : 3]);
    }
  }
  const scores = (lines: readonly string[]) => lines.map((line) => (JSON.parse(line) as { score: number }).score);
  expect(scores(await read("one"))).toEqual(scores(await read("out")));
});

test("export writes the network of a tile and says so", async () => {
  const { code, stdout } = await bigrid(["export", at("run"), "--out", at("tile.onnx")]);
  expect(code).toBe(0);
  expect(stdout).toContain("each image is a tile of 128 x 128 pixels of a photograph, of which neighbours share 16");
  expect((await readFile(at("tile.onnx"))).includes('{"tile":128,"overlap":16}')).toBe(true);
});

test("serve answers with predict's results", async () => {
  const service = await startService([at("run")]);
  try {
    const { models } = (await (await fetch(`${service.url}v1/models`)).json()) as { models: { tiles: unknown }[] };
    expect(models[0]!.tiles).toEqual({ tile: 128, overlap: 16 });
    const body = await readFile(at("set", "test", "spot", "0.png"));
    const response = await fetch(`${service.url}v1/inspect`, {
      method: "POST",
      headers: { "content-type": "image/png" },
      body,
    });
    const { images } = (await response.json()) as { images: { verdict: string; defects: { bbox: number[] }[] }[] };
    const { stdout } = await bigrid(["predict", at("run"), at("set", "test", "spot", "0.png"), "--json"]);
    const predicted = (JSON.parse(stdout) as { images: typeof images }).images;
    expect(images[0]!.verdict).toBe("defective");
    expect(images[0]!.defects).toEqual(predicted[0]!.defects);
  } finally {
    service.child.kill("SIGTERM");
    await service.end;
  }
});

test("calibrate and compare go by tiles too", async () => {
  await cp(at("run"), at("calibrated"), { recursive: true });
  const calibrated = await bigrid(["calibrate", at("calibrated"), at("set"), "--false-reject", "0.05", "--json"]);
  expect(calibrated).toMatchObject({ code: 0 });
  const compare = [
    [
      "compare",
      at("set"),
      "--methods",
      "patchcore,padim",
      "--seeds",
      "0",
      "--size",
      "64",
      "--resamples",
      "0",
      "--json",
    ],
    ["--set", "tile=128", "--set", "overlap=16", "--set", "folds=0", "--set", "patchcore.coreset=0.02"],
    ["--out", at("compared")],
  ].flat();
  const { code, stdout } = await bigrid(compare);
  expect(code).toBe(0);
  const { methods } = JSON.parse(stdout) as { methods: { method: string }[] };
  expect(methods.map(({ method }) => method).sort()).toEqual(["padim", "patchcore"]);
  const model = await readFile(join(at("compared"), "runs", "patchcore-seed-0", "model.safetensors"));
  expect(model).toEqual(await readFile(at("run", "model.safetensors")));
});

describe("in one line it is refused", () => {
  test.each([
    [["--tile", "20"], "expected tile to be a whole number from 32 to 16384, got 20"],
    [["--overlap", "20"], "overlap 20 has no effect without tiles: set tile too, or leave it out"],
    [
      ["--tile", "100", "--overlap", "100"],
      "expected overlap to be a whole number from 0 to half of the tile (50), got 100",
    ],
    [["--tile", "40"], "a tile of 40 pixels would be enlarged more than 4 times to 224: use a tile of at least 56"],
    [["--tile", "448", "--resize", "crop"], "resize crop has no effect with tiles"],
    [["--set", "saveEvery=0"], "expected saveEvery to be a whole number of at least 1, got 0"],
  ])("%j", async (words, message) => {
    const { code, stderr } = await bigrid(["train", at("set"), "--out", at("refused"), ...words]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  });
});

test("inspect recommends tiles where photographs are much larger than what they are resized to", async () => {
  await ensureFolder(at("large"));
  for (const i of [0, 1]) {
    const flat = {
      create: { width: 1000, height: 300, channels: 3 as const, background: { r: 90 + i, g: 80, b: 70 } },
    };
    await sharp(flat)
      .png()
      .toFile(at("large", `${i}.png`));
  }
  const { stdout } = await bigrid(["inspect", at("large")]);
  expect(stdout).toContain("a side of 1000 pixels is usual, and images are resized to 224");
  expect(stdout).toContain("if defects are small, train on tiles of them");
  expect(stdout).toContain("(train --tile 448)");
  expect((await bigrid(["inspect", at("set")])).stdout).not.toContain("--tile");
});

test("training goes on from a run by its tiles", async () => {
  await cp(at("set", "test", "good"), at("more"), { recursive: true });
  const from = ["train", "--from", at("run"), "--add", at("more")];
  const { code, stderr, stdout } = await bigrid([...from, "--out", at("next")]);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stderr).toContain("2 good images added to the 3 of ");
  expect(stdout).toMatch(/\nset +2 /);
  expect(JSON.parse(await readFile(at("next", "config.json"), "utf8"))).toMatchObject({ tile: 128, overlap: 16 });
  const { folders } = JSON.parse(await readFile(at("next", "images.json"), "utf8")) as RunImages;
  expect(folders.map(({ images }) => images.map(({ tiles }) => tiles))).toEqual([
    [12, 12, 12],
    [12, 12],
  ]);
  const configOf = async (run: string) => {
    const { metadata } = decodeSafetensors(await readFile(at(run, "model.safetensors")), run);
    return JSON.parse(metadata["config"]!) as { input: object; method: { config: { rows: number } } };
  };
  const [run, next] = [await configOf("run"), await configOf("next")];
  expect(next.input).toEqual(run.input);
  // two in a hundred of the 8 x 8 cells of the twelve tiles of three photographs, and of five
  expect([run, next].map(({ method }) => method.config.rows)).toEqual([46, 77]);
  const predicted = await bigrid(["predict", at("next"), at("set", "test", "spot", "0.png"), "--json"]);
  expect(predicted.code).toBe(0);
  const other = await bigrid([...from, "--tile", "96", "--out", at("other")]);
  expect(other.stderr).toContain(`tile 96 contradicts ${at("run")}, which was trained with 128: leave it out`);
});

test("help grows by no line", async () => {
  const lines = async (command: string): Promise<number> =>
    (await bigrid([command, "--help"])).stdout.trimEnd().split("\n").length;
  expect(await lines("compare")).toBeLessThanOrEqual(52);
  const { stdout } = await bigrid(["train", "--help"]);
  expect(stdout.match(/^ {2}(-h, )?--[\w-]+/gm)!.length).toBeLessThanOrEqual(20);
  expect(stdout).toContain("--drop-suspects");
  const { stdout: long } = await bigrid(["train", "--method", "padim", "--help"]);
  expect(["--stages", "--overlap"].map((flag) => [stdout.includes(flag), long.includes(flag)])).toEqual([
    [false, true],
    [false, true],
  ]);
});
