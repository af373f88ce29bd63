// bigrid inspect --suspects, and what training leaves out, as a user runs them.
import { copyFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const SET = join(folder, "set");
await writeSyntheticSet(SET, { size: 64, train: 11, good: 1, defective: 2, seed: 2 });
const ROOT = join(SET, "weave");
const [stain] = await readdir(join(ROOT, "test", "stain"));
const ODD = "train/good/odd.png";
await copyFile(join(ROOT, "test", "stain", stain!), join(ROOT, ODD));

test("a defective image among the good ones is the first of the suspects, in text, JSON and a page with its picture", async () => {
  const page = join(folder, "page.html");
  const shown = await bigrid(["inspect", ROOT, "--suspects", "--size", "64", "--out", page]);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(
    new RegExp(
      `Least like the other good images of their class \\(1\\.00: as far from them as the middle one\\)\n +\\d+\\.\\d\\d  ${ODD}\n`,
    ),
  );
  const html = await readFile(page, "utf8");
  const section = html.slice(html.indexOf('<section id="suspects">'));
  expect(section.indexOf(`${ODD}, warm where it is unlike the others`)).toBeGreaterThan(0);
  expect(section.match(/<li class="card">/g)!.length).toBeGreaterThan(10);
  const told = await bigrid(["inspect", ROOT, "--suspects", "--size", "64", "--json"]);
  const { suspects } = JSON.parse(told.stdout) as { suspects: { path: string; className: string; ratio: number }[] };
  expect(suspects).toHaveLength(12);
  expect(suspects[0]).toMatchObject({ path: ODD, className: "weave" });
  expect(suspects.map(({ ratio }) => ratio)).toEqual(suspects.map(({ ratio }) => ratio).sort((a, b) => b - a));
});

test("without --suspects nothing is ranked, and its flags are refused", async () => {
  const plain = await bigrid(["inspect", ROOT, "--json"]);
  expect(Object.keys(JSON.parse(plain.stdout) as object)).not.toContain("suspects");
  const refused = await bigrid(["inspect", ROOT, "--size", "64"]);
  expect(refused.stderr).toContain("--size has an effect with --suspects only");
  expect(refused.code).toBe(1);
});

test("a training leaves out the share that is asked for, and names it", async () => {
  const run = join(folder, "run");
  const { code, stderr } = await bigrid(["train", ROOT, "--out", run, ...SHORT, "--drop-suspects", "0.09"]);
  expect(code).toBe(0);
  expect(stderr).toMatch(
    new RegExp(`left out, [\\d.]+ times as far from the others as the middle good image: \\S*${ODD}`),
  );
  const config = JSON.parse(await readFile(join(run, "config.json"), "utf8")) as { dropSuspects: number };
  expect(config.dropSuspects).toBe(0.09);
});
