import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SpillFile } from "../../src/node/files/spill.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();

test("records come back in any order, and the file goes when it is closed", async () => {
  const spill = new SpillFile(folder);
  for (let i = 2; i < 6; i++) await spill.write(i, Uint8Array.of(i, 2 * i, 3 * i));
  expect(await readdir(folder)).toEqual([expect.stringMatching(/^\.bigrid-[0-9a-f]{16}-\d+\.part$/)]);
  for (const i of [5, 2, 4]) expect(await spill.read(i)).toEqual(Uint8Array.of(i, 2 * i, 3 * i));
  await spill.close();
  expect(await readdir(folder)).toEqual([]);
});

test("a file that was never needed is never made", async () => {
  await new SpillFile(folder).close();
  expect(await readdir(folder)).toEqual([]);
});

test("a folder that cannot be written says what to do", async () => {
  await expect(new SpillFile(join(folder, "none")).write(0, new Uint8Array(4))).rejects.toThrow(
    /^cannot keep features in .+\.part: it does not exist; allow more device memory \(option featureBudget\), or choose another folder$/,
  );
});
