import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint, sha256Of } from "../../src/node/checkpoint.ts";
import { modelPath } from "../../src/node/detector_file.ts";
import { ensureWritableFolder, openRegularFile, readBytes, readText, writeFileAtomic } from "../../src/node/files.ts";
import { decodeImage } from "../../src/node/images.ts";
import { readHeader } from "../../src/node/journal.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { temporaryFolder } from "../temporary.ts";

const folder = await temporaryFolder();

async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error: Error = await attempt.then(() => new Error("it was done"), (error: Error) => error);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain("\n");
  return error.message;
}

test("a file is written over the old one, and nothing else is left", async () => {
  const place = join(folder, "whole");
  await mkdir(place);
  await writeFileAtomic(join(place, "a"), "old");
  await writeFileAtomic(join(place, "a"), Uint8Array.of(110, 101, 119));
  expect(await readFile(join(place, "a"), "utf8")).toBe("new");
  expect(await readdir(place)).toEqual(["a"]);
});

test("a path written several times at once holds one of the texts, whole", async () => {
  const place = join(folder, "race");
  await mkdir(place);
  const texts = ["x", "yy", "zzz"].map((text) => text.repeat(100_000));
  await Promise.all(texts.map((text) => writeFileAtomic(join(place, "a"), text)));
  expect(texts).toContain(await readFile(join(place, "a"), "utf8"));
  expect(await readdir(place)).toEqual(["a"]);
});

test("a disk that fills up while a file is written leaves the old one, and nothing beside it", async () => {
  const place = join(folder, "full");
  await mkdir(place);
  await writeFileAtomic(join(place, "a"), "old");
  const handle = await open(join(place, "a"));
  const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
  await handle.close();
  const { sync } = prototype;
  prototype.sync = () => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" })); // all of it was taken, and does not fit
  try {
    expect(await refusal(writeFileAtomic(join(place, "a"), "new"))).toBe(`cannot write ${join(place, "a")}: the disk is full (free some space, or choose another disk)`);
  } finally {
    prototype.sync = sync;
  }
  expect(await readFile(join(place, "a"), "utf8")).toBe("old");
  expect(await readdir(place)).toEqual(["a"]);
});

test("what cannot be written is said in one line with its remedy, and leaves no trace", async () => {
  const place = join(folder, "taken");
  await mkdir(join(place, "folder"), { recursive: true });
  await writeFile(join(place, "file"), "x");
  expect(await refusal(writeFileAtomic(join(place, "folder"), "y"))).toBe(`cannot write ${join(place, "folder")}: it is a folder (choose another name)`);
  expect(await refusal(writeFileAtomic(join(place, "none", "a"), "y"))).toBe(`cannot write ${join(place, "none", "a")}: its folder does not exist (make it first)`);
  expect(await refusal(writeFileAtomic(join(place, "file", "a"), "y"))).toContain("a part of the path is a file, not a folder (choose another place)");
  expect(await refusal(writeFileAtomic(join(place, "n".repeat(300)), "y"))).toContain("the name is too long (choose a shorter one)");
  expect((await readdir(place)).sort()).toEqual(["file", "folder"]);
  expect(await readdir(join(place, "folder"))).toEqual([]);
});

test("a folder is made with those around it, and is left empty", async () => {
  const place = join(folder, "deep", "er");
  await ensureWritableFolder(place);
  await ensureWritableFolder(place);
  expect(await readdir(place)).toEqual([]);
});

test("what was begun in a folder and left long ago goes when it is written to again, and nothing else", async () => {
  const place = join(folder, "left");
  await mkdir(place);
  const names = ["model.safetensors.12-0.part", "new.7-3.part", "features.part", "a.part", "model.safetensors"];
  for (const name of names) await writeFile(join(place, name), "x");
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  for (const name of names.filter((name) => !name.startsWith("new"))) await utimes(join(place, name), longAgo, longAgo);
  await ensureWritableFolder(place);
  expect((await readdir(place)).sort()).toEqual(names.slice(1).sort());
});

test("a place where no file can be written is found before the work", async () => {
  const place = join(folder, "blocked");
  await mkdir(join(place, "folder"), { recursive: true });
  await writeFile(join(place, "file"), "x");
  expect(await refusal(ensureWritableFolder(join(place, "file", "below")))).toBe(
    `cannot write to the folder ${join(place, "file", "below")}: a part of the path is a file, not a folder (choose another place)`,
  );
  expect(await refusal(ensureWritableFolder(join(place, "file")))).toContain("a file of that name is in the way (choose another name)");
  expect((await readdir(place)).sort()).toEqual(["file", "folder"]);
});

// Permission bits say that root may write to /proc. It cannot all the same.
test.skipIf(!existsSync("/proc/self"))("a folder that only claims to be writable is found out", async () => {
  expect(await refusal(ensureWritableFolder("/proc"))).toMatch(/^cannot write to the folder \/proc: /);
  expect(await refusal(ensureWritableFolder("/proc/bigrid"))).toMatch(/^cannot write to the folder \/proc\/bigrid: /);
});

test("what cannot be read is said in one line", async () => {
  expect(await refusal(readBytes(join(folder, "none")))).toBe(`cannot read ${join(folder, "none")}: it does not exist`);
  expect(await refusal(readBytes(folder))).toBe(`cannot read ${folder}: it is a folder`);
});

test("a pipe, a device and a folder are refused by their kind, at once; so is a file beyond the limit", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const read of [readBytes, readText, openRegularFile]) {
    expect(await refusal(read(pipe))).toBe(`cannot read ${pipe}: it is a pipe, not a file`);
    expect(await refusal(read("/dev/zero"))).toBe("cannot read /dev/zero: it is a device, not a file");
    expect(await refusal(read(folder))).toBe(`cannot read ${folder}: it is a folder`);
    expect(await refusal(read(join(folder, "none")))).toBe(`cannot read ${join(folder, "none")}: it does not exist`);
  }
  const file = join(folder, "five");
  await writeFile(file, "12345");
  expect(await readText(file, { limit: 5 })).toBe("12345");
  expect(await refusal(readBytes(file, { limit: 4 }))).toBe(`cannot read ${file}: it has 5 bytes; at most 4 are read`);
});

test.each([
  ["a journal", (path: string) => readHeader(path)],
  ["weights", (path: string) => openCheckpoint(path)],
  ["a hash", (path: string) => sha256Of(path)],
  ["a model", (path: string) => modelPath(path)],
  ["an image", (path: string) => decodeImage(path)],
])("a pipe that is named as %s is refused instead of waited for", async (_what, read) => {
  const pipe = join(folder, "pipe");
  expect(await refusal(read(pipe))).toMatch(/^cannot read (the weights )?\S+pipe: it is a pipe, not a file$/);
});
