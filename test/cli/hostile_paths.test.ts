// Names of files and folders that were made to break a line, a page, a shell or a path: they are names like others.
import { cp, mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const ODD = "ü b\n<i>&\"'; $(touch hacked) `x` \x1b[31m";
const SET = at(`${ODD} set`);
await writeSyntheticSet(at("made"), { size: 64, train: 6, good: 2, defective: 1, seed: 2 });
await cp(at("made", "plate"), SET, { recursive: true });
const GOOD = join(SET, "test", "good");
await rename(join(GOOD, "000.png"), join(GOOD, `${ODD}.png`));
await writeFile(join(GOOD, `cut ${ODD}.png`), (await readFile(join(GOOD, "001.png"))).subarray(0, 500));
await symlink(SET, join(SET, "train", "good", "round")); // a circle
await symlink("ring.png", join(GOOD, "ring.png"));

const RUN = at(`${ODD} run`);
const escaped = ODD.replaceAll("\n", "\\n").replaceAll("\x1b", "\\u001b");
/** Every line begins as one of ours does: no name has begun one. */
const expectOwnLines = (text: string) =>
  expect(text.split("\n").filter((line) => line.startsWith("<i>") || line.includes("\x1b[31m"))).toEqual([]);

test("a set, a run and images of such names are trained on, evaluated and reported", async () => {
  const train = ["train", SET, "--out", RUN, ...SHORT];
  const trained = await bigrid(train);
  expect(trained).toMatchObject({ code: 0 });

  const evaluated = await bigrid([
    "eval",
    RUN,
    join(SET, "test", ".."),
    "--report",
    at(`${ODD}.html`),
    "--resamples",
    "0",
  ]);
  expect(evaluated).toMatchObject({ code: 0 });
  expect(evaluated.stderr).toContain(
    `skipped: cannot read ${join(folder, `${escaped} set`, "test", "good", `cut ${escaped}.png`)}: the image is cut off or damaged`,
  );
  expect(evaluated.stderr).toContain("ring.png: its links go round in a circle");
  const page = await readFile(at(`${ODD}.html`), "utf8");
  expect(page).not.toContain("<i>&");
  expect(page).toContain("\\u003ci\\u003e");

  const inspected = await bigrid(["inspect", SET, "--out", at("inspect.html")]);
  expect(inspected.code).toBe(0);
  expect(await readFile(at("inspect.html"), "utf8")).not.toContain("<i>&");

  const out = at(`${ODD} out`);
  const predicted = await bigrid(
    ["predict", RUN, "-", "--out", out],
    {},
    `${join(SET, "train", "..", "test", "good")}\0${join(SET, "test", "good", "..", "good", `${ODD}.png`)}\0`,
  );
  expect(predicted.code).toBe(0);
  const results = (await readFile(join(out, "results.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { image: string; heatMap?: string });
  expect(results.map(({ image }) => image).sort()).toEqual(
    [join(GOOD, "001.png"), join(GOOD, `${ODD}.png`), join(GOOD, `cut ${ODD}.png`)].sort(),
  );
  expect((await readdir(join(out, "heat"))).sort()).toEqual([".bigrid-pictures", "001.png", `${ODD}.png`].sort());
  for (const { stdout, stderr } of [trained, evaluated, inspected, predicted]) [stdout, stderr].forEach(expectOwnLines);
  expect(await readdir(folder)).not.toContain("hacked");
});

test("what is wrong with such a path is said in one line", async () => {
  await mkdir(at("empty"));
  for (const words of [
    ["inspect", at(`${ODD} none`)],
    ["eval", at(`${ODD} none`), SET],
    ["predict", at("empty"), at(ODD), "--out", at("x")],
  ]) {
    const { code, stderr } = await bigrid(words);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expectOwnLines(stderr);
  }
});
