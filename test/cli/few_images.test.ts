// What is said where good images are few, and the copies that a training makes of them.
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fewImagesRemark } from "../../src/cli/few_images.ts";
import { resolveTraining } from "../../src/detection/training_options.ts";
import type { MethodName } from "../../src/methods/registry.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 1, defective: 1, seed: 2 });
await cp(at("set", "plate"), at("one"), { recursive: true });

const classOf = (name: string, count: number) => ({
  name,
  train: Array.from({ length: count }, (_, i) => ({ path: `${i}`, defect: "good", defective: false, masks: [] })),
});
const nearest = "--method grad or patchcore suits them";
const copies = "--set augment=both also trains on turned and mirrored copies, if parts lie in any rotation";

const settingsOf = (method: MethodName, options: object = {}) => resolveTraining({ method, ...options });

test("the sentence is of the class with the fewest images, up to sixteen, and leaves out what is chosen", async () => {
  expect(await fewImagesRemark([classOf("a", 16)])).toBe(`16 good images are few: ${nearest}; ${copies}`);
  expect(await fewImagesRemark([classOf("a", 17)])).toBeNull();
  expect(await fewImagesRemark([classOf("a", 1)])).toBeNull(); // which no training takes
  expect(await fewImagesRemark([classOf("a", 40), classOf("b", 5)])).toBe(
    `5 good images of class b are few: ${nearest}; ${copies}`,
  );
  const few = [classOf("a", 4)];
  for (const method of ["patchcore", "grad"] as const)
    expect(await fewImagesRemark(few, await settingsOf(method))).toBe(`4 good images are few: ${copies}`);
  for (const [method, options] of [
    ["grad", { form: "joined" }],
    ["crad", {}],
  ] as const)
    expect(await fewImagesRemark(few, await settingsOf(method, { augment: "flips", ...options }))).toBe(
      `4 good images are few: ${nearest}`,
    );
  expect(await fewImagesRemark(few, await settingsOf("patchcore", { augment: "both" }))).toBeNull();
});

test("inspect and train say it, train only what is left to choose", async () => {
  expect((await bigrid(["inspect", at("one")])).stdout).toContain(`6 good images are few: ${nearest}; ${copies}`);
  const words = ["train", at("one"), "--size", "64", "--set", "coreset=0.1", "--method", "patchcore"];
  const plain = await bigrid([...words, "--out", at("plain")]);
  expect(plain.stderr).toContain(`6 good images are few: ${copies}`);
  const turned = await bigrid([...words, "--set", "augment=rotations", "--out", at("turned")]);
  expect(turned).toMatchObject({ code: 0 });
  expect(turned.stderr).not.toContain("are few");
  expect((JSON.parse(await readFile(at("turned", "config.json"), "utf8")) as { augment: string }).augment).toBe(
    "rotations",
  );
  const rowsIn = (text: string): number => Number(/Memory bank +(\d+) rows/.exec(text)![1]);
  // a tenth of the 64 cells of six images, and of their three copies
  expect([plain, turned].map(({ stdout }) => rowsIn(stdout))).toEqual([38, 154]);
  const wrong = await bigrid([...words, "--set", "augment=all", "--out", at("wrong")]);
  expect(wrong.stderr).toContain("augment");
  expect(wrong.code).toBe(1);
  await rm(at("plain"), { recursive: true });
});
