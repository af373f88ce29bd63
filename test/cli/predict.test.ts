// bigrid predict and merge as a user runs them: every input and output, regions, shards, going on, what goes wrong.
import { spawn } from "node:child_process";
import { copyFile, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { parseCsv } from "../../src/data/layouts/csv.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { device } from "../harness/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, ENOUGH, PROGRAM, SHORT, type Outcome } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const text = (...names: string[]) => readFile(at(...names), "utf8");

await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 3, defective: 2, seed: 2 });
const RUN = at("run");
const trained = await bigrid(["train", at("set", "weave"), "--out", RUN, ...ENOUGH]);
const TESTS = at("set", "weave", "test");
const GOOD = join(TESTS, "good", "000.png");

interface Line {
  readonly image: string;
  readonly verdict: string;
  readonly score: number;
  readonly calibrated: number;
  readonly peak: number;
  readonly width: number;
  readonly height: number;
  readonly area: number;
  readonly defects: readonly { bbox: [number, number, number, number]; area: number; peak: number }[];
  readonly reason?: string;
}
const linesOf = (jsonl: string): Line[] =>
  jsonl
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

const readIfThere = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** bigrid predict with these images, and something on its standard input. */
const predict = (words: readonly string[], input = ""): Promise<Outcome> =>
  bigrid(["predict", RUN, ...words], {}, input);

describe("every output", async () => {
  // Names that tables get wrong, and one that is cut off.
  const odd = 'a, "b"\nü 漢.png';
  await mkdir(at("in", "deep"), { recursive: true });
  await copyFile(GOOD, at("in", odd));
  const [stain] = await readdir(join(TESTS, "stain"));
  await sharp(join(TESTS, "stain", stain!))
    .resize(90, 70, { fit: "fill" })
    .toFile(at("in", "deep", "stain.png"));
  await writeFile(at("in", "cut.png"), (await readFile(GOOD)).subarray(0, 300));
  const all = await predict([
    at("in"),
    "--csv",
    at("t.csv"),
    "--jsonl",
    at("t.jsonl"),
    "--coco",
    at("t.json"),
    "--heat",
    at("h"),
    "--masks",
    at("m"),
    "--contours",
    at("c"),
    "--fail-on-defect",
  ]);
  const lines = linesOf(await text("t.jsonl"));
  const [, cut, defective] = lines as [Line, Line, Line];

  test("a line for each image in order of the paths, also one that cannot be read; the exit code tells of a defect", async () => {
    expect(trained.code).toBe(0);
    expect(all.code).toBe(3);
    expect(lines.map(({ image }) => image)).toEqual([
      at("in", odd),
      at("in", "cut.png"),
      at("in", "deep", "stain.png"),
    ]);
    expect(defective.verdict).toBe("defective");
    expect(cut).toEqual({
      image: at("in", "cut.png"),
      verdict: "unreadable",
      reason: `cannot read ${at("in", "cut.png")}: the image is cut off or damaged`,
    });
    expect(all.stderr).toContain("skipped 1 of 3 images that cannot be used (--strict makes this an error)");
    expect(all.stdout).toContain(
      `${lines.filter(({ verdict }) => verdict === "defective").length} of 2 are called defective`,
    );
    expect(existsSync(at("t.jsonl.journal"))).toBe(false);
  });

  test("a table with names that have commas, quotes, line ends and letters of all kinds", async () => {
    const { columns, records } = parseCsv(await text("t.csv"));
    expect(columns).toEqual([
      "image",
      "verdict",
      "calibrated",
      "score",
      "peak",
      "width",
      "height",
      "defects",
      "area",
      "heatMap",
      "mask",
      "contour",
      "map",
      "reason",
    ]);
    expect(records.map(({ image }) => image)).toEqual(lines.map(({ image }) => image));
    for (const [i, record] of records.entries()) {
      if (lines[i]!.verdict === "unreadable") continue;
      expect(record).toMatchObject({
        score: String(lines[i]!.score),
        defects: String(lines[i]!.defects.length),
        area: String(lines[i]!.area),
      });
    }
  });

  test("masks, boxes and shapes are those of the same pixels, at the image's own size", async () => {
    const { width, height, channels } = await sharp(at("m", "deep", "stain.png")).metadata();
    expect([width, height, channels]).toEqual([90, 70, 1]);
    const data = await sharp(at("m", "deep", "stain.png"))
      .toColourspace("b-w")
      .raw()
      .toBuffer();
    expect(data.filter((pixel) => pixel === 255)).toHaveLength(defective.area);
    expect(data.filter((pixel) => pixel !== 255 && pixel !== 0)).toHaveLength(0);
    expect(defective.area).toBe(defective.defects.reduce((sum, { area }) => sum + area, 0));
    const coco = JSON.parse(await text("t.json")) as {
      images: { id: number; file_name: string; width: number; height: number }[];
      categories: { id: number; name: string }[];
      annotations: {
        id: number;
        image_id: number;
        category_id: number;
        bbox: number[];
        area: number;
        segmentation: { size: number[]; counts: number[] };
      }[];
    };
    expect(coco.categories).toMatchObject([{ id: 1, name: "defect" }]);
    const image = coco.images.find(({ file_name }) => file_name === "deep/stain.png")!;
    expect([image.width, image.height]).toEqual([90, 70]);
    const own = coco.annotations.filter(({ image_id }) => image_id === image.id);
    expect(own.map(({ bbox, area }) => ({ bbox, area }))).toEqual(
      defective.defects.map(({ bbox, area }) => ({ bbox, area })),
    );
    const union = new Uint8Array(90 * 70);
    for (const { segmentation } of own) {
      expect(segmentation.size).toEqual([70, 90]);
      let pixel = 0;
      segmentation.counts.forEach((count, i) => {
        for (let k = 0; k < count; k++, pixel++) union[(pixel % 70) * 90 + Math.floor(pixel / 70)]! |= i % 2 ? 255 : 0;
      });
      expect(pixel).toBe(90 * 70);
    }
    expect(Buffer.from(union).equals(data)).toBe(true);
  });

  test("heat maps and outlines are pictures of the image's size, below their folder as the image is", async () => {
    for (const kind of ["h", "c"]) {
      const { width, height, format } = await sharp(at(kind, "deep", "stain.png")).metadata();
      expect([width, height, format]).toEqual([90, 70, "png"]);
      expect((await readdir(at(kind))).sort()).toEqual([".bigrid-pictures", odd, "deep"].sort());
    }
  });
});

describe("regions", () => {
  const stained = async (...words: string[]): Promise<Line[]> => {
    await predict([join(TESTS, "stain"), ...words, "--jsonl", at("r.jsonl"), "--heat", at("rh")]);
    return linesOf(await text("r.jsonl"));
  };

  test("what lies outside counts neither to score nor boxes; a mask says the same as a rectangle, and its opposite ignored", async () => {
    const whole = await stained();
    expect(whole.every(({ verdict }) => verdict === "defective")).toBe(true);
    const rectangle = await stained("--roi", "0,0,32,64");
    for (const [i, { score, defects }] of rectangle.entries()) {
      expect(score).not.toBe(whole[i]!.score);
      for (const {
        bbox: [left, , width],
      } of defects)
        expect(left + width).toBeLessThanOrEqual(32);
    }
    const half = (isWhite: boolean) =>
      sharp({ create: { width: 10, height: 10, channels: 3, background: isWhite ? "white" : "black" } })
        .composite([
          {
            input: { create: { width: 5, height: 10, channels: 3, background: isWhite ? "black" : "white" } },
            left: 5,
            top: 0,
          },
        ])
        .png();
    await half(true).toFile(at("left.png"));
    await half(false).toFile(at("right.png"));
    expect(await stained("--roi", at("left.png"))).toEqual(rectangle);
    expect(await stained("--ignore", at("right.png"))).toEqual(rectangle);
  });

  test("a model says whether it was trained on parts, and a report what counted; a part of nothing is refused", async () => {
    const upper = await bigrid(["train", at("set", "weave"), "--out", at("upper"), ...SHORT, "--roi", "0,0,64,32"]);
    expect(upper.stdout).toContain(`bigrid eval ${at("upper")} ${at("set", "weave")} --roi 0,0,64,32 `);
    const evaluated = await bigrid(["eval", at("upper"), at("set", "weave"), "--roi", "0,0,64,32", "--resamples", "0"]);
    expect([evaluated.code, evaluated.stderr.includes("was trained")]).toEqual([0, false]);
    expect(await text("upper", "report.html")).toContain('["What counts","--roi 0,0,64,32"]');
    expect((await bigrid(["predict", at("upper"), GOOD])).stderr).toContain(
      `${at("upper")} was trained with --roi or --ignore; without the same here`,
    );
    expect((await predict([GOOD, "--roi", "0,0,64,32"])).stderr).toContain(
      `${RUN} was trained on whole images; with --roi or --ignore`,
    );
    const nothing = await bigrid(["train", at("set", "weave"), "--out", at("none"), ...SHORT, "--roi", "64,0,9,9"]);
    expect([nothing.code, nothing.stderr.includes("the region of interest leaves nothing of")]).toEqual([1, true]);
    const both = await bigrid([
      "train",
      at("set", "weave"),
      "--out",
      at("none"),
      ...SHORT,
      "--roi",
      "0,0,64,32",
      "--anomalies",
      at("set", "weave"),
    ]);
    expect([both.code, both.stderr.trimEnd().split("\n").at(-1)]).toEqual([
      1,
      "bigrid: --anomalies does not support regions: leave out --roi and --ignore, or --anomalies",
    ]);
  });

  test("defects smaller than the minimal area are none, and an image of such is good; a threshold for pixels is one's own", async () => {
    const [first] = await stained();
    const above = await stained("--min-area", String(64 * 64 + 1));
    expect(above.map(({ verdict, defects, area }) => [verdict, defects.length, area])).toEqual(
      above.map(() => ["good", 0, 0]),
    );
    expect(above[0]!.score).toBe(first!.score);
    const [stricter] = await stained("--pixel-threshold", String(0.99 * first!.peak));
    expect(stricter!.area > 0 && stricter!.area < first!.area).toBe(true);
  });

  test("a threshold of one's own says what is defective, and moves that of pixels as far; scores stay", async () => {
    const [usual] = await stained();
    const calibrated = usual!.calibrated;
    expect(calibrated).toBeGreaterThan(0.5);
    const higher = await bigrid([
      "predict",
      RUN,
      join(TESTS, "stain"),
      "--threshold",
      String((1 + calibrated) / 2),
      "--jsonl",
      at("r.jsonl"),
    ]);
    expect(higher.stdout).toContain(`are called defective: those above ${(1 + calibrated) / 2}, by --threshold`);
    const [strict] = linesOf(await text("r.jsonl"));
    expect(strict).toMatchObject({ score: usual!.score, calibrated, verdict: "good" });
    expect(strict!.area).toBeLessThan(usual!.area);
    const [same] = await stained("--threshold", "0.5");
    expect(same).toEqual(usual);
    const [lax] = await stained("--threshold", "0.001", "--pixel-threshold", String(0.99 * usual!.peak));
    expect(lax!.area > 0 && lax!.area < usual!.area).toBe(true);
    for (const [value, words] of [
      ["1", "A number above 0 and below 1 is needed"],
      ["0", "A number above 0 and below 1 is needed"],
    ] as const) {
      expect(await predict([GOOD, "--threshold", value])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(words) as string,
      });
    }
  });

  test("an image of which nothing is left is named", async () => {
    const { code, stderr } = await predict([GOOD, "--roi", "100,100,5,5"]);
    expect(code).toBe(1);
    expect(stderr).toContain(`the region of interest leaves nothing of ${GOOD} (64x64 pixels)`);
  });
});

test.skipIf(!device.gpu.features.has("shader-f16"))(
  "in half precision scores are within a hundredth; eval takes the flag too",
  async () => {
    await predict([TESTS, "--jsonl", at("full.jsonl")]);
    await predict([TESTS, "--jsonl", at("half.jsonl"), "--half"]);
    const [full, half] = [linesOf(await text("full.jsonl")), linesOf(await text("half.jsonl"))];
    expect(half.map(({ image }) => image)).toEqual(full.map(({ image }) => image));
    expect(half.map(({ score }) => score)).not.toEqual(full.map(({ score }) => score));
    half.forEach(({ score }, i) => expect(Math.abs(score / full[i]!.score - 1)).toBeLessThan(1e-2));
    const evaluated = await bigrid([
      "eval",
      RUN,
      at("set", "weave"),
      "--half",
      "--json",
      "--no-report",
      "--resamples",
      "0",
    ]);
    expect(evaluated.code).toBe(0);
  },
);

describe("shards", () => {
  const shard = (i: number, ...words: string[]) =>
    predict([TESTS, "--shard", `${i}/3`, "--out", at("shards"), "--coco", at(`s${i}.json`), ...words]);
  const merge = (...words: string[]) =>
    bigrid(["merge", ...words, "--csv", at("all.csv"), "--jsonl", at("all.jsonl"), "--coco", at("all.json")]);

  test("merged, they are the tables of all images at once, byte for byte; missing, doubled and foreign ones are refused", async () => {
    // On the same folder of pictures: their paths are in the tables.
    await predict([
      TESTS,
      "--csv",
      at("one.csv"),
      "--jsonl",
      at("one.jsonl"),
      "--coco",
      at("one.json"),
      "--heat",
      at("shards", "heat"),
    ]);
    for (const i of [3, 1]) expect((await shard(i)).code).toBe(0);
    const missing = await merge(at("shards"));
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("of 3 shards, one is missing: 2");
    expect((await shard(2)).stdout).toContain("shard 2 of 3 is done; when all are: bigrid merge");
    expect((await merge(at("shards"))).code).toBe(0);
    for (const name of ["csv", "jsonl", "json"]) expect(await text(`all.${name}`)).toBe(await text(`one.${name}`));
    const journal = (i: number) => at("shards", `shard-${i}-of-3.journal`);
    await copyFile(journal(2), at("copy.journal"));
    expect((await merge(at("shards"), at("copy.journal"))).stderr).toContain(
      `shard 2 of 3 is there twice: ${journal(2)} and ${at("copy.journal")}`,
    );
    await writeFile(
      journal(2),
      (await text("shards", "shard-2-of-3.journal")).replace('"end"', '"image"').split("\n").slice(0, -2).join("\n") +
        "\n",
    );
    expect((await merge(at("shards"))).stderr).toContain("is not finished: run it again with --resume");
    expect((await shard(2, "--resume")).code).toBe(0);
    await rm(at("all.csv"));
    expect((await merge(at("shards"))).code).toBe(0);
    expect(await text("all.csv")).toBe(await text("one.csv"));
    await rm(journal(1));
    await shard(1, "--pixel-threshold", "1");
    expect((await merge(at("shards"))).stderr).toMatch(
      /was begun with the threshold for pixels \d.*, not \d.*: use the same again, name another output, or remove it to start again/,
    );
  });
});

describe("where results go", () => {
  test("standard output takes a table behind what is there, also through a link, and from a shell's own descriptors", async () => {
    await symlink("/dev/stdout", at("link"));
    const shell = (command: string): Promise<unknown> =>
      new Promise((resolve) =>
        spawn("bash", ["-c", command, process.execPath, PROGRAM, "predict", RUN, GOOD]).on("close", resolve),
      );
    for (const path of ["/dev/stdout", "/proc/self/fd/1", at("link")]) {
      await writeFile(at("redirected"), "before\n");
      expect(await shell(`"$0" "$@" --csv ${path} >> ${at("redirected")}`)).toBe(0);
      expect((await text("redirected")).split("\n")).toEqual([
        "before",
        expect.stringMatching(/^image,verdict,/),
        expect.stringContaining(GOOD),
        "", // what is said to people is no row
      ]);
    }
    expect((await lstat(at("link"))).isSymbolicLink()).toBe(true);
    expect(await shell(`"$0" "$@" --coco /dev/fd/7 7> ${at("seven")} > ${at("one")}`)).toBe(0);
    expect((JSON.parse(await text("seven")) as { images: unknown[] }).images).toHaveLength(1);
  });

  test("a link's target is written, a table that is private stays so, and one place for two outputs is refused", async () => {
    await mkdir(at("targets"));
    await writeFile(at("targets", "t.csv"), "old", { mode: 0o600 });
    for (const name of ["t.csv", "t.jsonl", "t.json"]) await symlink(at("targets", name), at(`to-${name}`));
    expect(
      (await predict([GOOD, "--csv", at("to-t.csv"), "--jsonl", at("to-t.jsonl"), "--coco", at("to-t.json")])).code,
    ).toBe(0);
    expect((await readdir(at("targets"))).sort()).toEqual(["t.csv", "t.json", "t.jsonl"]);
    expect((await stat(at("targets", "t.csv"))).mode & 0o777).toBe(0o600);
    expect(await text("targets", "t.csv")).toContain(GOOD);
    for (const [csv, jsonl] of [
      [at("to-t.csv"), at("targets", "t.csv")],
      ["/dev/stdout", "/dev/fd/1"],
    ] as const) {
      const refused = await predict([GOOD, "--csv", csv, "--jsonl", jsonl]);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("are one place for two outputs")]);
    }
    const two = await predict([GOOD, "--csv", "/dev/stdout", "--json"]);
    expect([two.code, two.stdout, two.stderr]).toEqual([
      1,
      "",
      expect.stringContaining("--json prints to standard output, where /dev/stdout goes too"),
    ]);
  });

  test("names that no picture can have, or that are taken, cost no image: each has a picture of its own", async () => {
    await mkdir(at("names", "a.jpg.png"), { recursive: true });
    const jpeg = await sharp(GOOD).jpeg().toBuffer();
    await copyFile(GOOD, at("names", "a.jpg.png", "b.png"));
    for (const name of ["a.jpg", `${"x".repeat(250)}.jpg`, `${"x".repeat(249)}y.jpg`, "in the way.jpg"])
      await writeFile(at("names", name), jpeg);
    await mkdir(at("named", "in the way.jpg.png"), { recursive: true });
    expect((await predict([at("names"), "--jsonl", at("named.jsonl"), "--heat", at("named")])).code).toBe(0);
    const pictures = linesOf(await text("named.jsonl")).map((line) => (line as unknown as { heatMap: string }).heatMap);
    expect(new Set(pictures).size).toBe(5);
    for (const path of pictures) expect((await sharp(path).metadata()).width).toBe(64);
  });

  test("a prediction that comes to nothing leaves an earlier one's tables", async () => {
    await writeFile(at("kept.csv"), "earlier");
    await writeFile(at("no.png"), "no image");
    expect((await predict([at("no.png"), "--csv", at("kept.csv"), "--strict"])).code).toBe(1);
    expect(await text("kept.csv")).toBe("earlier");
  });
});

describe("inputs", () => {
  test("patterns, lists on standard input, and a folder that pictures are written into", async () => {
    const { code } = await predict(
      [join(TESTS, "s*", "*.png"), "-", "--jsonl", at("i.jsonl"), "--heat", join(TESTS, "heat")],
      `${GOOD}\n`,
    );
    expect(code).toBe(0);
    const named = linesOf(await text("i.jsonl")).map(({ image }) => image);
    expect(named).toContain(GOOD);
    expect(named.length).toBeGreaterThan(2);
    await predict([TESTS, "--jsonl", at("i.jsonl"), "--heat", join(TESTS, "heat")]);
    expect(linesOf(await text("i.jsonl")).some(({ image }) => image.includes("heat"))).toBe(false);
    await rm(join(TESTS, "heat"), { recursive: true });
  });

  test("that do not go together are refused in one line", async () => {
    const refused: readonly (readonly [string[], string])[] = [
      [[], "no images: name files, folders"],
      [[GOOD, "--watch", folder, "--csv", at("x.csv")], "inspects what is in that folder"],
      [["--watch", folder], "name an output"],
      [["--watch", folder, "--csv", at("x.csv"), "--shard", "1/2"], "do not go together"],
      [[GOOD, "--shard", "1/2"], "name an output"],
      [["-"], "the list on standard input is empty"],
      [[GOOD, "--roi", at("none.png")], "none.png: it does not exist"],
    ];
    for (const [words, message] of refused) {
      const { code, stderr, stdout } = await predict(words);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr.trimEnd().split("\n").at(-1)).toContain(message);
    }
    for (const shard of ["0/2", "3/2", "x"])
      expect((await predict([GOOD, "--shard", shard, "--csv", at("x.csv")])).code).toBe(2);
  });
});

describe("what goes wrong", () => {
  test("strict, the first image that cannot be read ends it; mended, it goes on to the same table as if nothing had been", async () => {
    await mkdir(at("mend"));
    const sources = (await readdir(join(TESTS, "good"))).map((name) => join(TESTS, "good", name));
    for (let i = 0; i < 6; i++) await copyFile(sources[i % sources.length]!, at("mend", `${i}.png`));
    await writeFile(at("mend", "4.png"), "no image");
    const words = [at("mend"), "--csv", at("mend.csv"), "--batch", "2", "--strict"];
    const failed = await predict(words);
    expect(failed.code).toBe(1);
    expect(failed.stderr.trimEnd().split("\n").at(-1)).toBe(
      `bigrid: cannot read ${at("mend", "4.png")}: it is not an image of a known format`,
    );
    expect(parseCsv(await text("mend.csv")).records).toHaveLength(4);
    await copyFile(sources[0]!, at("mend", "4.png"));
    expect((await predict(words)).stderr).toContain(
      "holds a prediction that was ended after 4 images: --resume continues it; remove it to start again",
    );
    const journal = at("mend.csv.journal");
    const refusals: readonly (readonly [readonly string[], string])[] = [
      [["--pixel-threshold", "2"], "with the threshold for pixels "],
      [["--min-area", "5"], "with --min-area left out, not 5: "],
      ...(device.gpu.features.has("shader-f16")
        ? [[["--half"], "in full precision, not in half (--half): "] as const]
        : []),
      [["--roi", "0,0,9,9"], "with another --roi: none, not 0,0,9,9: "],
      [["--masks", at("mend-masks")], "with pictures of the kinds none, not mask: "],
      [[sources[0]!], "with 6 images, not with these 7: "],
    ];
    for (const [more, difference] of refusals) {
      const { stderr } = await predict([...words, "--resume", ...more]);
      expect(stderr.trimEnd().split("\n").at(-1)).toContain(`bigrid: ${journal} was begun ${difference}`);
    }
    await copyFile(sources[0]!, at("mend", "7.png"));
    await rm(at("mend", "0.png"));
    expect((await predict([...words, "--resume"])).stderr).toContain(
      "with 6 images, of which some are others now: use the same again, name another output, or remove it to start again",
    );
    await copyFile(sources[0]!, at("mend", "0.png"));
    await rm(at("mend", "7.png"));
    await writeFile(at("mend.csv.99-0.part"), "another's");
    const resumed = await predict([...words, "--resume"]);
    expect(await text("mend.csv.99-0.part")).toBe("another's");
    expect(resumed.stderr).toContain("4 of 6 images are done; continuing");
    await predict([at("mend"), "--csv", at("whole.csv")]);
    expect(await text("mend.csv")).toBe(await text("whole.csv"));
    expect((await predict([GOOD, "--csv", at("mend.csv")])).stderr).toContain(
      `${at("mend.csv")} of an earlier prediction is replaced`,
    );
    expect((await predict([GOOD])).stdout).toContain(
      "--out DIR writes this as tables, and where the defects are as heat maps",
    );
  });

  test.runIf(existsSync("/dev/full"))("a full disk ends it in one line", async () => {
    const { code, stderr } = await predict([GOOD, "--csv", "/dev/full"]);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n").at(-1)).toBe(
      "bigrid: cannot write /dev/full: the disk is full (free some space, or choose another disk)",
    );
    expect((await stat("/dev/full")).isCharacterDevice()).toBe(true);
  });

  test("interrupted, it ends after its batch and says how to go on", async () => {
    await mkdir(at("many"));
    for (let i = 0; i < 400; i++) await copyFile(GOOD, at("many", `${String(i).padStart(3, "0")}.png`));
    const words = [at("many"), "--jsonl", at("many.jsonl"), "--batch", "1"];
    const child = spawn(process.execPath, [PROGRAM, "predict", RUN, ...words], { detached: true });
    let stderr = "";
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    const poll = setInterval(() => {
      if (readIfThere(at("many.jsonl")) === "") return;
      clearInterval(poll);
      process.kill(-child.pid!, "SIGINT"); // to the launcher and its child, as a terminal sends it
    }, 20);
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(1);
    const [, done] = /ended by SIGINT after (\d+) of 400 images; the same command with --resume continues/.exec(
      stderr,
    )!;
    expect(linesOf(await text("many.jsonl"))).toHaveLength(Number(done));
    expect((await predict([...words, "--batch", "16", "--resume"])).code).toBe(0);
    expect(new Set(linesOf(await text("many.jsonl")).map(({ image }) => image)).size).toBe(400);
    expect(linesOf(await text("many.jsonl"))).toHaveLength(400);
  });
});
