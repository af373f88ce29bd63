import { readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FeatureFile, stampOf } from "../../src/node/feature_file.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const open = (name: string, key = "key", count = 3) => FeatureFile.open(join(folder, name), "embedded", key, count);
const picture = (path: string, stamp = "1") => ({ path, stamp, width: 8, height: 9, even: false, seconds: 0.5 });
const features = (first: number) => Float32Array.of(first, first + 0.5, -first);
async function* records(...all: Float32Array[]): AsyncGenerator<Float32Array> {
  yield* all;
}

test("keeps features of each picture, also for the next process, and those of a changed picture in their place", async () => {
  const file = await open("kept");
  await file.add(records(features(1)), () => picture("a.png"));
  await file.add(records(features(2)), () => picture("b.png"));
  await file.add(records(features(3)), () => picture("a.png", "2"));
  await file.close();
  const again = await open("kept");
  expect(again.find("a.png", "1")).toBeNull();
  expect(again.find("a.png", "2")).toMatchObject(picture("a.png", "2"));
  expect(await again.read(picture("a.png"))).toEqual(features(3));
  expect(await again.read(picture("b.png"))).toEqual(features(2));
  await expect(again.read(picture("c.png"))).rejects.toThrow("has no features of c.png");
  await again.add(records(features(4)), () => picture("c.png"));
  expect(await again.read(picture("b.png"))).toEqual(features(2));
  await again.close();
});

test("keeps as many records of a picture as it has tiles", async () => {
  const file = await open("tiles");
  await file.add(records(features(1), features(2), features(3)), () => picture("a.png"));
  await file.add(records(features(4)), () => picture("b.png"));
  await file.close();
  const again = await open("tiles");
  expect(again.find("a.png", "1")).toMatchObject({ records: 3 });
  for (const nth of [0, 1, 2]) expect(await again.read(picture("a.png"), nth)).toEqual(features(1 + nth));
  expect(await again.read(picture("b.png"))).toEqual(features(4));
  await expect(again.read(picture("a.png"), 3)).rejects.toThrow("has no features of a.png");
  await again.add(records(features(5)), () => picture("c.png"));
  expect(await again.read(picture("b.png"))).toEqual(features(4));
  await again.close();
});

test("of another key are in files of their own", async () => {
  for (const key of ["one", "two"]) {
    const file = await open("keys", key);
    expect(file.find("a.png", "1")).toBeNull();
    await file.add(records(features(key.length)), () => picture("a.png"));
    await file.close();
  }
  expect(await readdir(join(folder, "keys"))).toHaveLength(4);
});

test.each([
  ["cut off", (path: string) => truncate(path, 13)],
  ["removed", (path: string) => rm(path)],
])("begins anew where the records were %s: none is taken for another's", async (how, spoil) => {
  const file = await open(how);
  for (const [i, path] of ["a.png", "b.png"].entries()) await file.add(records(features(i)), () => picture(path));
  await file.close();
  const [data] = (await readdir(join(folder, how))).filter((name) => name.endsWith(".f32"));
  await spoil(join(folder, how, data!));
  const again = await open(how);
  expect([again.find("a.png", "1"), again.find("b.png", "1")]).toEqual([null, null]);
  await again.add(records(features(7)), () => picture("b.png"));
  expect(await again.read(picture("b.png"))).toEqual(features(7));
  await again.close();
});

test("is open once at a time, and says so if it lies there as something else", async () => {
  const file = await open("once");
  await expect(open("once")).rejects.toThrow("another bigrid is writing");
  await file.close();
  const [journal] = (await readdir(join(folder, "once"))).filter((name) => name.endsWith(".jsonl"));
  await writeFile(join(folder, "once", journal!), '{"format":"other"}\n');
  await expect(open("once")).rejects.toThrow("is of other features: remove it");
});

test("a file's stamp changes with its size and its time", async () => {
  const path = join(folder, "stamped");
  await writeFile(path, "12");
  await utimes(path, 10, 10);
  const before = await stampOf(path);
  expect(await stampOf(path)).toBe(before);
  await utimes(path, 10, 11);
  const later = await stampOf(path);
  await writeFile(path, "123");
  await utimes(path, 10, 11);
  expect(new Set([before, later, await stampOf(path)]).size).toBe(3);
  await expect(stampOf(join(folder, "none"))).rejects.toThrow("cannot read");
});
