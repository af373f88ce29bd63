// bigrid train --from RUN --add DIR as a user runs it: false alarms that were looked at go into the model.
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { RunImages } from "../../src/node/run_images.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

const OLD = 12;
await writeSyntheticSet(at("all"), { size: 64, train: OLD + 9, good: 1, defective: 3, seed: 2 });
const DIR = at("set", "plate");
await cp(at("all", "plate"), DIR, { recursive: true });
for (let i = OLD; i < OLD + 9; i++) await rm(join(DIR, "train", "good", `${String(i).padStart(3, "0")}.png`));

/** Brighter pictures of the same parts, as another lamp makes them. */
async function brighter(name: string, first: number, count: number): Promise<string> {
  await mkdir(at(name), { recursive: true });
  for (let i = first; i < first + count; i++) {
    const file = `${String(i).padStart(3, "0")}.png`;
    await sharp(at("all", "plate", "train", "good", file))
      .linear(1.3, 0)
      .toFile(at(name, file));
  }
  return at(name);
}
const ADDED = await brighter("false alarms", OLD, 5);
const UNSEEN = await brighter("unseen", OLD + 5, 4);

const RUN = at("run");
const OPTIONS = ["--method", "patchcore", "--size", "64", "--set", "coreset=0.2"];
const trained = await bigrid(["train", DIR, "--out", RUN, ...OPTIONS]);

const imagesOf = async (run: string) => JSON.parse(await readFile(join(run, "images.json"), "utf8")) as RunImages;
const alarms = async (run: string, inspected: string): Promise<number> => {
  const { stdout, code } = await bigrid(["predict", run, inspected, "--json"]);
  expect(code).toBe(0);
  const { images } = JSON.parse(stdout) as { images: readonly { verdict: string }[] };
  return images.filter(({ verdict }) => verdict === "defective").length;
};

test("a run says which images it was trained on, and which of them set its threshold", async () => {
  expect(trained.code).toBe(0);
  expect((await readdir(RUN)).sort()).toEqual(["config.json", "images.json", "model.safetensors", "train.jsonl"]);
  const { roi, ignore, anomalies, folders } = await imagesOf(RUN);
  expect([roi, ignore, anomalies, folders.length]).toEqual([null, null, null, 1]);
  expect(folders[0]!.folder).toBe(DIR);
  const { images } = folders[0]!;
  expect(images.map(({ name }) => name)).toEqual(
    Array.from({ length: OLD }, (_, i) => join("train", "good", `${String(i).padStart(3, "0")}.png`)),
  );
  expect(images.filter(({ trained }) => !trained).map(({ name }) => name.slice(-7))).toEqual(["004.png", "009.png"]);
  for (const { trained, heldOut, added } of images) expect([heldOut !== null, added]).toEqual([!trained, false]);
});

test("false alarms are added: others like them are no alarms any more, and defects still are", async () => {
  expect(await alarms(RUN, UNSEEN)).toBe(4);
  const defects = join(DIR, "test", "missing");
  const found = await alarms(RUN, defects);
  expect(found).toBe(3);
  const { code, stdout, stderr } = await bigrid(["train", "--from", RUN, "--add", ADDED, "--out", at("next")]);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stderr).toContain(`5 good images added to the 12 of ${RUN}; embedded backbone, on `);
  expect(stdout).toMatch(/good +threshold +calibrated score +called defective +by models\nclass +added +before +now/);
  expect(stdout).toMatch(/\nplate +5 .* 5 +0 +\d of 5\n/);
  expect(stdout).toContain("expected of new good images: 1 % called defective");
  expect(await alarms(at("next"), UNSEEN)).toBeLessThanOrEqual(1);
  expect(await alarms(at("next"), defects)).toBe(found);

  const { folders } = await imagesOf(at("next"));
  expect(folders.map((one) => [one.folder, one.images.length])).toEqual([
    [DIR, OLD],
    [ADDED, 5],
  ]);
  for (const { trained, heldOut, added } of folders[1]!.images)
    expect([trained, heldOut !== null, added]).toEqual([true, true, true]);
  // what was said of the run is as before
  expect((await imagesOf(RUN)).folders).toHaveLength(1);
});

test("in place, the run is replaced when all is done; what was added is known the next time", async () => {
  const run = at("in place");
  await cp(RUN, run, { recursive: true });
  const before = await readFile(join(run, "model.safetensors"));
  const first = await bigrid(["train", "--from", run, "--add", ADDED, "--out", run]);
  expect(first.code).toBe(0);
  expect(first.stderr).toContain("is there already; the new model and its log replace it when training is done");
  expect((await readFile(join(run, "model.safetensors"))).equals(before)).toBe(false);
  expect((await readFile(join(run, "model.safetensors"))).equals(await readFile(at("next", "model.safetensors")))).toBe(
    true,
  );
  const again = await bigrid(["train", "--from", run, "--add", ADDED, "--out", run]);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain(`${ADDED} has no good image that ${run} was not trained on: add others`);
  await brighter("false alarms and more", OLD, 7);
  await cp(ADDED, at("more"), { recursive: true });
  await cp(UNSEEN, at("more"), { recursive: true });
  const more = await bigrid(["train", "--from", run, "--add", at("more"), "--out", run]);
  expect(more.code).toBe(0);
  expect((await imagesOf(run)).folders.map(({ images }) => images.length)).toEqual([OLD, 5, 9]);
});

test("it begins nothing where options contradict the run", async () => {
  const refusal = async (words: readonly string[], message: string, code = 1): Promise<void> => {
    const done = await bigrid(["train", ...words, "--out", at("refused")]);
    expect([done.code, done.stderr]).toEqual([code, expect.stringContaining(message)]);
  };
  const from = ["--from", RUN, "--add", ADDED];
  await refusal(
    [...from, "--size", "128"],
    `inputSize 128 contradicts ${RUN}, which was trained with 64: leave it out, or train anew without --from`,
  );
  await refusal(
    [...from, "--method", "padim"],
    `method "padim" contradicts ${RUN}, which was trained with "patchcore"`,
  );
  await refusal([...from, "--set", "coreset=0.5"], `coreset 0.5 contradicts ${RUN}, which was trained with 0.2`);
  await refusal([...from, "--set", "augment=both"], 'augment "both" contradicts');
  await refusal([...from, "--roi", "1,2,30,40"], `--roi 1,2,30,40 contradicts ${RUN}, which was trained with none`);
  await refusal([...from, "--config", join(RUN, "config.json")], "--config does not go with --from");
  await refusal(["--from", RUN], "--from RUN and --add DIR go together");
  await refusal([DIR, "--add", ADDED], "--from RUN and --add DIR go together");
  await refusal([], "missing required argument 'dir'", 2);
  await refusal([...from, "--set", "share=2"], "expected share to be above 0 and at most 1, got 2");
  await refusal(["--from", at("set"), "--add", ADDED], `${at("set")} does not say which images it was trained on`);
  const same = await bigrid(["train", ...from, "--size", "64", "--false-reject", "0.1", "--out", at("same")]);
  expect(same.code).toBe(0);
  expect(same.stdout).toContain("expected of new good images: 10 % called defective");
});

test("images that are gone are said to be, with what to do", async () => {
  const run = at("moved run");
  await cp(DIR, at("moved"), { recursive: true });
  expect((await bigrid(["train", at("moved"), "--out", run, ...OPTIONS])).code).toBe(0);
  await rm(at("moved", "train", "good", "004.png"));
  const without = await bigrid(["train", "--from", run, "--add", ADDED, "--out", at("without")]);
  expect(without.code).toBe(0);
  expect(without.stderr).toContain(
    `1 of 2 good images of ${run} are gone, such as ${at("moved", "train", "good", "004.png")}: training goes on without them`,
  );
  await rename(at("moved"), at("elsewhere"));
  const lost = await bigrid(["train", "--from", run, "--add", ADDED, "--out", at("lost")]);
  expect(lost.code).toBe(1);
  expect(lost.stderr).toContain(
    `none of the 2 good images that ${run} was trained on is there any more, such as ${at("moved", "train", "good", "004.png")}: give the folder that they are in now (bigrid train DIR --from ${run}), or train anew`,
  );
  const found = await bigrid(["train", at("elsewhere"), "--from", run, "--add", ADDED, "--out", at("found")]);
  expect(found.code).toBe(0);
  expect((await imagesOf(at("found"))).folders[0]!.folder).toBe(at("elsewhere"));
  await writeFile(join(run, "images.json"), "{}");
  const damaged = await bigrid(["train", "--from", run, "--add", ADDED, "--out", at("damaged")]);
  expect(damaged.stderr).toContain(`${join(run, "images.json")} is damaged: it does not list the images`);
});

test("the region of interest is the run's", async () => {
  const run = at("regional");
  expect((await bigrid(["train", DIR, "--out", run, ...OPTIONS, "--roi", "0,0,40,40"])).code).toBe(0);
  const done = await bigrid(["train", "--from", run, "--add", ADDED, "--out", at("regional next")]);
  expect(done.code).toBe(0);
  expect(done.stdout).toContain("--roi 0,0,40,40");
  expect((await imagesOf(at("regional next"))).roi).toBe("0,0,40,40");
});

test("help names the two flags, and --anomalies only for the methods that have a use for it", async () => {
  const [general, grad, padim] = await Promise.all(
    [[], ["--method", "grad"], ["--method", "padim"]].map((words) => bigrid(["train", ...words, "--help"])),
  );
  expect(general!.stdout).toMatch(/--from <run>.*\n[^]*--add <dir>/);
  expect([general, grad, padim].map((told) => told!.stdout.includes("--anomalies"))).toEqual([false, true, false]);
  const { stdout } = await bigrid(["train", "--from", RUN, "--help"]);
  expect([padim!.stdout, stdout].map((told) => /^ {2}share /m.test(told))).toEqual([false, true]);
});
