import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readResults } from "../../bench/accuracy/results.ts";
import { calibrationOf } from "../../src/detection/calibration.ts";
import { CALIBRATION, type CalibrationData } from "../../tools/pictures/calibration.ts";
import { arrow, NARROW, picture, rectangle, text } from "../../tools/pictures/draw.ts";
import { contrastOf, GROUNDS, PALETTE, type Role } from "../../tools/pictures/palette.ts";
import { PICTURES } from "../../tools/pictures/pictures.ts";
import { RESULTS } from "../../tools/pictures/results.ts";

const FOLDER = "docs/pictures";
const MOST_BYTES = 40_000;
const committed = (name: string): string => readFileSync(join(FOLDER, `${name}.svg`), "utf8");
const pages = [
  "README.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" }).map((name) => join("docs", name)),
]
  .filter((name) => name.endsWith(".md") && !name.startsWith("docs/api"))
  .map((name) => readFileSync(name, "utf8"));

describe.each(Object.keys(PICTURES))("the picture %s", (name) => {
  const file = committed(name);

  test("is what its script makes of today's code and data", async () => {
    expect((await PICTURES[name]!()) === file, "run `npm run pictures`").toBe(true);
  });

  test("is small, needs nothing else, and says what it shows", () => {
    expect(Buffer.byteLength(file)).toBeLessThan(MOST_BYTES);
    expect(file.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|data:|@import|url\(|<image|<script/);
    expect(/<title id="title">(.{4,90})<\/title>/.exec(file)).not.toBeNull();
    expect(/<desc id="description">(.{80,})<\/desc>/.exec(file)).not.toBeNull();
  });

  test("has a dark colour for each light one", () => {
    const [light, dark] = [/\.n\{fill:none\}\n(.*)\n/, /prefers-color-scheme:dark\)\{(.*)\}\n/].map((part) =>
      [...part.exec(file)![1]!.matchAll(/\.([\w-]+)\{\w+:(#\w{6})\}/g)].map(([, name]) => name),
    );
    expect(light!.length).toBeGreaterThan(3);
    expect(dark).toEqual(light);
  });

  test("is shown on a page, with words in its place", () => {
    const words = pages
      .flatMap((page) => [...page.matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)])
      .filter(([, , target]) => target!.endsWith(`pictures/${name}.svg`));
    expect(words.length).toBeGreaterThan(0);
    for (const [, alt] of words) expect(alt!.length).toBeGreaterThan(20);
  });
});

test("there is no picture without a script", () => {
  const drawn = readdirSync(FOLDER).filter((name) => name.endsWith(".svg"));
  expect(drawn.sort()).toEqual(
    Object.keys(PICTURES)
      .map((name) => `${name}.svg`)
      .sort(),
  );
});

test.each([0, 1] as const)("texts have enough contrast on every ground, scheme %i", (scheme) => {
  for (const [ground, roles] of Object.entries(GROUNDS))
    for (const role of roles)
      expect(
        contrastOf(PALETTE[role][scheme], PALETTE[ground as Role][scheme]),
        `${role} on ${ground}`,
      ).toBeGreaterThan(4.5);
  expect(contrastOf("#ffffff", "#000000")).toBeCloseTo(21);
  expect(contrastOf("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
});

test("a picture is refused whose texts overlap, cross a line, leave it, or are too small where it is narrow", () => {
  const frame = { width: 2 * NARROW, height: 100, title: "A test", description: "of what is refused" };
  const size = 20;
  expect(picture(frame, [text([10, 50], "one", { size }), text([10, 75], "two", { size })])).toContain(">two<");
  expect(() => picture(frame, [text([10, 50], "one", { size }), text([20, 60], "two", { size })])).toThrow(/overlap/);
  expect(() => picture(frame, text([790, 50], "one", { size }))).toThrow(/leaves it/);
  expect(() => picture(frame, text([NaN, 50], "one", { size }))).toThrow(/leaves it/);
  const box = rectangle([20, 20], 200, 60, { stroke: "line" });
  expect(picture(frame, [box, text([30, 50], "one", { size })])).toContain(">one<");
  expect(() => picture(frame, [box, text([30, 85], "one", { size })])).toThrow(/crosses an outline/);
  const across = arrow([
    [10, 46],
    [90, 46],
  ]);
  expect(picture(frame, [across, text([100, 50], "one", { size })])).toContain(">one<");
  expect(() => picture(frame, [across, text([30, 50], "one", { size })])).toThrow(/lies on an arrow/);
  expect(() => picture(frame, text([10, 50], "one", { size: 19 }))).toThrow(/letters of 9.5 pixels/);
});

test("the results' whiskers lie where the means of the file are", async () => {
  const results = (await readResults(RESULTS)).filter(
    ({ dataset, backbone }) => dataset === "magnetic_tile" && backbone === "embedded",
  );
  const known = Object.keys(JSON.parse(readFileSync("bench/accuracy/choices.json", "utf8")) as object);
  const shownChoices = known.filter((choice) => results.some((result) => result.choice === choice));
  const means = shownChoices.map((choice) => {
    const values = results.filter((result) => result.choice === choice).map(({ metrics }) => metrics.imageAuroc!);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
  const [, plots] = committed("results").split(">magnetic_tile<") as [string, string];
  const places = [...plots.matchAll(/<circle cx="([\d.]+)" cy="[\d.]+" r="4.5" class="f-blue"\/>/g)].map(
    ([, x]) => +x!,
  );
  const shown = places.slice(0, means.length); // the first plot's
  const [low, high] = [means.indexOf(Math.min(...means)), means.indexOf(Math.max(...means))];
  const scale = (shown[high]! - shown[low]!) / (means[high]! - means[low]!);
  expect(means.length).toBeGreaterThan(3);
  expect(scale).toBeGreaterThan(0);
  means.forEach((mean, i) => expect(shown[i]! - shown[low]!).toBeCloseTo(scale * (mean - means[low]!), 1));
});

test("the calibration shows each score of its file, and the threshold that they set", () => {
  const data = JSON.parse(readFileSync(CALIBRATION, "utf8")) as CalibrationData;
  const file = committed("calibration");
  const { threshold, typical } = calibrationOf(
    data.heldOut.map((each) => ({ className: "a", ...each })),
    data.falseReject,
  );
  expect(data.heldOut.length).toBeGreaterThan(30);
  const strokes = (colour: string): number =>
    new RegExp(`<path d="([^"]*)" class="n s-${colour}"`).exec(file)![1]!.split("v12").length - 1;
  expect([strokes("green"), strokes("red")]).toEqual([data.good.length, data.defective.length]);
  const [, ratio, more, missed, defective, found] =
    /at ([\d.]+) times a typical score. Of (\d+) further good images (\d+) lie above it, of (\d+) defective ones (\d+)/.exec(
      file,
    )!;
  expect(Number(ratio)).toBeCloseTo(threshold / typical, 2);
  expect([more, defective].map(Number)).toEqual([data.good.length, data.defective.length]);
  expect(Number(missed)).toBe(data.good.filter((score) => score > threshold).length);
  expect(Number(found)).toBe(data.defective.filter((score) => score > threshold).length);
});
