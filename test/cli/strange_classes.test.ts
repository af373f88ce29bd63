// Names that objects have of themselves, through all that the command line does: folders, model, metrics, report,
// verdicts.
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const NAMES = ["__proto__", "constructor", "toString"];
await mkdir(at("set"));
for (const [seed, name] of NAMES.entries()) {
  await writeSyntheticSet(at(`made${seed}`), { size: 64, train: 4, good: 1, defective: 1, seed });
  await cp(at(`made${seed}`, "plate"), at("set", name), { recursive: true });
}

test("classes may be named as what objects have of themselves, from folders to verdicts", async () => {
  const run = at("set", "constructor", "run"); // among the images, as somebody may have it
  const trained = await bigrid(["train", at("set"), "--out", run, ...SHORT]);
  expect({ code: trained.code, stderr: trained.code === 0 ? "" : trained.stderr }).toEqual({ code: 0, stderr: "" });
  const evaluated = await bigrid(["eval", run, at("set"), "--json", "--resamples", "10", "--save"]);
  expect(evaluated.code).toBe(0);
  const { classes, intervals } = JSON.parse(evaluated.stdout) as { classes: object; intervals: { classes: object } };
  expect([Object.keys(classes).sort(), Object.keys(intervals.classes).sort()]).toEqual([
    [...NAMES].sort(),
    [...NAMES].sort(),
  ]);
  const page = await readFile(join(run, "report.html"), "utf8");
  for (const name of NAMES) expect(page).toContain(`"className":"${name}"`);
  const photographs = at("set", "__proto__", "test");
  for (const name of NAMES) {
    const { code, stdout } = await bigrid([
      "predict",
      run,
      photographs,
      "--class",
      name,
      "--json",
      "--out",
      join(photographs, "out"),
    ]);
    // not its own heat maps, from the second time on
    expect([code, (JSON.parse(stdout) as { images: unknown[] }).images.length]).toEqual([0, 4]);
  }
  const other = await bigrid(["predict", run, photographs, "--class", "valueOf", "--json"]);
  expect(other.stderr).toContain("the model knows no class valueOf, only ");
  const { stdout } = await bigrid(["inspect", at("set"), "--json"]);
  const report = JSON.parse(stdout) as { findings: { kind: string; paths: string[] }[] };
  expect(report.findings.find(({ kind }) => kind === "outputs")!.paths).toEqual(["__proto__/test/out/heat"]);
  const again = await bigrid(["eval", run, at("set"), "--no-report", "--json", "--resamples", "0"]);
  expect(again.stderr).toContain("1 folder holds pictures that bigrid wrote (__proto__/test/out/heat): left out");
});

test("a list in UTF-16 names images, not the working folder or the disk", async () => {
  const run = at("set", "constructor", "run");
  const image = at("made0", "plate", "test", "good");
  const list = Buffer.from(`\uFEFF${image}\r\n`, "utf16le");
  const inspected = await bigrid(["predict", run, "-", "--json"], {}, list);
  expect([inspected.code, (JSON.parse(inspected.stdout) as { images: unknown[] }).images.length]).toEqual([0, 1]);
  const unmarked = await bigrid(["predict", run, "-", "--json"], {}, list.subarray(2));
  expect(unmarked).toMatchObject({
    code: 1,
    stderr: "bigrid: the list is neither UTF-8 nor UTF-16 with a byte-order mark: save it as UTF-8\n",
  });
});
