// A disk that is full while a training saves, and while its model is written: one line, nothing damaged, and it goes on
// when there is room.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { saveDetector } from "../../src/node/detector_file.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, SHORT } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const DISK = at("disk");
const DISK_BYTES = 8 << 20;
await mkdir(DISK);

/** A small disk of our own, where the system lets us have one. */
const isMounted = ((): boolean => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", DISK], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
afterAll(() => void (isMounted && execFileSync("umount", [DISK])));

/** Fills the disk but for so many bytes. */
async function leave(bytes: number): Promise<void> {
  await rm(join(DISK, "filler"), { force: true });
  const { bavail, bsize } = await statfs(DISK);
  await writeFile(join(DISK, "filler"), Buffer.alloc(bavail * bsize - bytes));
}

const train = (run: string, ...more: string[]) =>
  bigrid(["train", at("set", "plate"), "--out", run, ...SHORT, "--set", "saveEvery=6", ...more]);

describe.skipIf(!isMounted)("on a full disk", () => {
  test("a training ends in one line with its saved states whole, and --resume makes the bytes of one that had room", async () => {
    await writeSyntheticSet(at("set"), { size: 64, train: 12, good: 1, defective: 1, seed: 2 });
    expect(await train(at("whole"))).toMatchObject({ code: 0 });
    const run = join(DISK, "run");
    await mkdir(run);
    // a state is larger than a model: room for one, not for three
    await leave(3 * (await stat(at("whole", "model.safetensors"))).size);
    const { code, stderr } = await train(run);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(
      /^bigrid: cannot write \S+\.safetensors: the disk is full \(free some space, or choose another disk\)$/,
    );
    const kept = await readdir(join(run, "training_states"));
    const saved = kept.filter((name) => name !== "train.jsonl"); // the log of the training that goes on
    expect(saved.length).toBeGreaterThan(0);
    for (const name of saved)
      expect(decodeSafetensors(await readFile(join(run, "training_states", name)), name).metadata["format"]).toBe(
        "bigrid-training",
      );
    await rm(join(DISK, "filler"));
    expect(await train(run, "--resume")).toMatchObject({ code: 0 });
    expect(
      (await readFile(join(run, "model.safetensors"))).equals(await readFile(at("whole", "model.safetensors"))),
    ).toBe(true);
  });

  test("a model is written whole or not at all: the old one stays", async () => {
    const run = join(DISK, "model");
    await mkdir(run);
    const detector = await madeUpDetector(device, 64, { decoder: "tiny" });
    const path = await saveDetector(detector, run);
    const before = await readFile(path);
    await leave(before.length / 2);
    await expect(saveDetector(detector, run)).rejects.toThrow(`cannot write ${path}: the disk is full`);
    expect((await readFile(path)).equals(before)).toBe(true);
    expect(await readdir(run)).toEqual(["model.safetensors"]);
    detector.release();
  });
});
