// bigrid calibrate as a user runs it: other thresholds from new good images, the same model.
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Calibration } from "../../src/detection/calibration.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { hashFile } from "../../src/node/files/hash.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, ENOUGH } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 6, defective: 2, seed: 2 });
const RUN = at("run");
const trained = await bigrid(["train", at("set"), "--out", RUN, ...ENOUGH, "--epochs-normal", "2"]);
const CLASSES = (await readdir(at("set"), { withFileTypes: true })).filter((e) => e.isDirectory()).map((e) => e.name);

const modelOf = async (run: string) => {
  const { tensors, metadata } = decodeSafetensors(await readFile(join(run, "model.safetensors")), run);
  const { calibration, ...config } = JSON.parse(metadata["config"]!) as { readonly calibration: Calibration };
  return { tensors, metadata, calibration, config };
};

/** A copy of the run, and of the good test images of one class, under that name. */
async function copies(name: string, className: string, as = className) {
  const run = at(`${name}-run`);
  await cp(RUN, run, { recursive: true });
  const images = at(`${name}-images`);
  await cp(join(at("set"), className, "test", "good"), join(images, as), { recursive: true });
  return { run, images };
}

interface Printed {
  readonly model: string;
  readonly sha256: string;
  readonly images: Readonly<Record<string, { count: number; rejectedBefore: number; rejected: number }>>;
  readonly before: Calibration;
  readonly calibration: Calibration;
}

test("a class gets thresholds of its new images; others, weights and the rest of the file stay", async () => {
  expect(trained.code).toBe(0);
  const [first, second] = CLASSES as [string, string];
  const { run, images } = await copies("one", first);
  const before = await modelOf(run);
  const done = await bigrid(["calibrate", run, join(images, first), "--false-reject", "0.1", "--json"]);
  expect(done.stderr).not.toContain("Error");
  expect(done.code).toBe(0);
  const printed = JSON.parse(done.stdout) as Printed;
  const after = await modelOf(run);
  expect(printed.sha256).toBe(await hashFile(join(run, "model.safetensors")));
  expect(printed.before).toEqual(before.calibration);
  expect(printed.calibration).toEqual(after.calibration);
  expect(printed.images[first]!.count).toBe(6);
  expect(after.calibration.classes[second]).toEqual(before.calibration.classes[second]);
  expect(after.calibration.classes[first]).not.toEqual(before.calibration.classes[first]);
  expect(after.calibration.threshold).toBe(
    Math.max(...Object.values(after.calibration.classes).map(({ threshold }) => threshold)),
  );
  expect(after.config).toEqual(before.config);
  expect(after.tensors).toEqual(before.tensors);
  expect(after.metadata["preprocessing"]).toBe(before.metadata["preprocessing"]);

  const again = await bigrid(["calibrate", run, join(images, first), "--false-reject", "0.1"]);
  expect(again.stdout).toMatch(
    new RegExp(`class +images +threshold before +now +rejected before +now\n${first} +6 .*\nexpected of new good`),
  );
  expect(again.stdout).toContain(`as before, for want of images: ${second}`);
  expect((await modelOf(run)).calibration).toEqual(after.calibration);
});

test("predict goes by the new threshold", async () => {
  const [first] = CLASSES as [string];
  const { run, images } = await copies("strict", first);
  const image = join(images, first, "000.png");
  const verdictAt = async (falseReject: string) => {
    await bigrid(["calibrate", run, join(images, first), "--false-reject", falseReject]);
    const lines = at("strict.jsonl");
    await rm(lines, { force: true });
    await bigrid(["predict", run, image, "--jsonl", lines]);
    return JSON.parse(await readFile(lines, "utf8")) as { readonly calibrated: number; readonly score: number };
  };
  const [loose, strict] = [await verdictAt("0.01"), await verdictAt("0.5")];
  expect(loose.score).toBe(strict.score);
  expect(loose.calibrated).toBeLessThan(strict.calibrated);
});

test("an unknown class, too few images and a rate out of range are told; the model is unchanged", async () => {
  const [first] = CLASSES as [string];
  const { run, images } = await copies("wrong", first, "another");
  const file = join(run, "model.safetensors");
  const before = await readFile(file);
  const unknown = await bigrid(["calibrate", run, join(images, "another")]);
  expect(unknown.stderr).toContain(
    `calibration: the model has no class another; it has ${CLASSES.join(", ")}: name the images' folders as those that it was trained on`,
  );
  expect(unknown.code).toBe(1);
  const wrong = await bigrid(["calibrate", run, images, "--false-reject", "0.7"]);
  expect(wrong.stderr).toContain("A number above 0 and at most 0.5 is needed.");
  expect(wrong.code).toBe(2);
  await mkdir(at("empty"));
  const empty = await bigrid(["calibrate", run, at("empty")]);
  expect(empty.code).toBe(1);
  await mkdir(at("broken", first), { recursive: true });
  await writeFile(at("broken", first, "a.png"), "no picture");
  const broken = await bigrid(["calibrate", run, at("broken", first)]);
  expect(broken.stderr).toContain("calibrateDetector: there are no images to calibrate with");
  expect(broken.code).toBe(1);
  expect(await readFile(file)).toEqual(before);

  await mkdir(at("few", first), { recursive: true });
  await copyFile(join(images, "another", "000.png"), at("few", first, "a.png"));
  const few = await bigrid(["calibrate", run, at("few", first), "--false-reject", "0.001"]);
  expect(few.stderr).toContain(
    `class ${first}: 1 image of it sets its threshold, which supports a false-reject rate of 0.375 %; 0.1 % takes 4, not trained on`,
  );
  expect(few.code).toBe(0);
  await rm(at("few"), { recursive: true });
});

test("images that score far less than those before are remarked on: the model may have been trained on them", async () => {
  const [first] = CLASSES as [string];
  const { run, images } = await copies("familiar", first);
  const remark = new RegExp(
    `^class ${first}: these images score \\d[\\d.]* times less than those that set the threshold before: if the model was trained on them, calibrate with others$`,
    "m",
  );
  const others = await bigrid(["calibrate", run, join(images, first)]);
  expect([others.code, remark.test(others.stderr)]).toEqual([0, false]);
  const familiar = await bigrid(["calibrate", run, at("set", first)]); // of its parts, those for training
  expect([familiar.code, remark.exec(familiar.stderr)?.length]).toEqual([0, 1]);
});
