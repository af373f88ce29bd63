import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { hashFile } from "../../src/node/files/hash.ts";
import { openWeights } from "../../src/node/weights.ts";
import { claimRun, modelPath } from "../../src/node/detector_file.ts";
import { ensureWritableFile, ensureWritableFolder, replaceFiles, writeFileAtomic } from "../../src/node/files/files.ts";
import { openRegularFile, readBytes, readText } from "../../src/node/files/read.ts";
import { writeReasonOf } from "../../src/node/files/reasons.ts";
import { decodeImage } from "../../src/node/images.ts";
import { readHeader } from "../../src/node/files/journal.ts";
import { LineFile } from "../../src/node/files/line_file.ts";
import { lockFile } from "../../src/node/files/lock.ts";
import { openSink } from "../../src/node/files/targets.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const pipe = join(folder, "pipe");
execFileSync("mkfifo", [pipe]);

async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error: Error = await attempt.then(
    () => new Error("it was done"),
    (error: Error) => error,
  );
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
  // all of it was taken, and does not fit
  prototype.sync = () => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
  try {
    expect(await refusal(writeFileAtomic(join(place, "a"), "new"))).toBe(
      `cannot write ${join(place, "a")}: the disk is full (free some space, or choose another disk)`,
    );
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
  expect(await refusal(writeFileAtomic(join(place, "folder"), "y"))).toBe(
    `cannot write ${join(place, "folder")}: it is a folder (choose another name)`,
  );
  expect(await refusal(writeFileAtomic(join(place, "none", "a"), "y"))).toBe(
    `cannot write ${join(place, "none", "a")}: its folder does not exist (make it first)`,
  );
  expect(await refusal(writeFileAtomic(join(place, "file", "a"), "y"))).toContain(
    "a part of the path is a file, not a folder (choose another place)",
  );
  expect(await refusal(writeFileAtomic(join(place, "n".repeat(300)), "y"))).toContain(
    "the name is too long (choose a shorter one)",
  );
  expect((await readdir(place)).sort()).toEqual(["file", "folder"]);
  expect(await readdir(join(place, "folder"))).toEqual([]);
});

test("a folder is made with those around it, and is left empty", async () => {
  const place = join(folder, "deep", "er");
  await ensureWritableFolder(place);
  await ensureWritableFolder(place);
  expect(await readdir(place)).toEqual([]);
});

test("what looks unfinished in a folder, and is old, is somebody's all the same", async () => {
  const place = join(folder, "left");
  await mkdir(place);
  const names = ["model.safetensors.12-0.part", "features.part", ".bigrid-0123456789abcdef-0.part"].sort();
  for (const name of names) {
    await writeFile(join(place, name), "x");
    await utimes(join(place, name), 0, 0);
  }
  await ensureWritableFolder(place);
  expect((await readdir(place)).sort()).toEqual(names);
});

test("a place where no file can be written is found before the work", async () => {
  const place = join(folder, "blocked");
  await mkdir(join(place, "folder"), { recursive: true });
  await writeFile(join(place, "file"), "x");
  expect(await refusal(ensureWritableFolder(join(place, "file", "below")))).toBe(
    `cannot write to the folder ${join(place, "file", "below")}: a part of the path is a file, not a folder (choose another place)`,
  );
  expect(await refusal(ensureWritableFolder(join(place, "file")))).toContain(
    "a file of that name is in the way (choose another name)",
  );
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
  ["weights", (path: string) => openWeights(path)],
  ["a hash", (path: string) => hashFile(path)],
  ["a model", (path: string) => modelPath(path)],
  ["an image", (path: string) => decodeImage(path)],
])("a pipe that is named as %s is refused instead of waited for", async (_what, read) => {
  expect(await refusal(read(pipe))).toMatch(/^cannot read (the weights )?\S+pipe: it is a pipe, not a file$/);
});

/** Does something as a user who is not root, where the test is root. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  process.setegid!(65534);
  process.seteuid!(65534);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}
const isRoot = process.geteuid?.() === 0;

test("links are written through: to a file, to one that is not there yet, and in a circle nowhere", async () => {
  const place = join(folder, "links");
  await mkdir(join(place, "target"), { recursive: true });
  await writeFile(join(place, "target", "old"), "old");
  for (const [name, target] of [
    ["direct", "target/old"],
    ["twice", "direct"],
    ["new", "target/new"],
    ["round", "round"],
  ] as const)
    await symlink(target, join(place, name));
  await writeFileAtomic(join(place, "twice"), "text");
  await writeFileAtomic(join(place, "new"), "text");
  expect(await refusal(writeFileAtomic(join(place, "round"), "text"))).toContain("its links go round in a circle");
  for (const name of ["old", "new"]) expect(await readFile(join(place, "target", name), "utf8")).toBe("text");
  for (const name of ["direct", "twice", "new", "round"])
    expect((await lstat(join(place, name))).isSymbolicLink()).toBe(true);
  expect((await readdir(join(place, "target"))).sort()).toEqual(["new", "old"]);
});

test("a hard link is parted from its other names, which keep the old contents", async () => {
  const place = join(folder, "hard");
  await mkdir(place);
  await writeFile(join(place, "kept.csv"), "old", { mode: 0o640 });
  await link(join(place, "kept.csv"), join(place, "table.csv"));
  await writeFileAtomic(join(place, "table.csv"), "new");
  expect(await readFile(join(place, "kept.csv"), "utf8")).toBe("old");
  expect(await readFile(join(place, "table.csv"), "utf8")).toBe("new");
  expect((await stat(join(place, "table.csv"))).mode & 0o777).toBe(0o640);
});

test("a file keeps its mode, and where that is allowed its owner; a new one has the user's", async () => {
  const place = join(folder, "modes");
  await mkdir(place);
  await writeFile(join(place, "private"), "old", { mode: 0o600 });
  await writeFileAtomic(join(place, "private"), "new");
  await writeFileAtomic(join(place, "new"), "new");
  expect((await stat(join(place, "private"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(place, "new"))).mode & 0o777).toBe(0o666 & ~process.umask());
  if (!isRoot) return;
  await chown(join(place, "private"), 65534, 65534);
  await writeFileAtomic(join(place, "private"), "newer");
  const { uid, gid, mode } = await stat(join(place, "private"));
  expect([uid, gid, mode & 0o777]).toEqual([65534, 65534, 0o600]);
});

test.runIf(isRoot && process.platform === "linux")(
  "a file that may be written, in a folder that may not, is written in place; one that may not is refused",
  async () => {
    const place = join(folder, "closed");
    await chmod(folder, 0o755);
    await mkdir(place, { mode: 0o755 });
    await writeFile(join(place, "open"), "a longer old text");
    await writeFile(join(place, "shut"), "old");
    await chown(join(place, "open"), 65534, 65534);
    const { ino } = await stat(join(place, "open"));
    await asNobody(async () => {
      await ensureWritableFile(join(place, "open"));
      const lock = await lockFile(join(place, "open"));
      expect(await refusal(lockFile(join(place, "open")))).toContain("another bigrid is writing");
      await writeFileAtomic(join(place, "open"), "new");
      await lock.release();
      for (const name of ["shut", "none"]) {
        expect(await refusal(ensureWritableFile(join(place, name)))).toContain("no permission (choose another place)");
        expect(await refusal(writeFileAtomic(join(place, name), "new"))).toContain(
          "no permission (choose another place)",
        );
      }
    });
    expect(await readFile(join(place, "open"), "utf8")).toBe("new");
    expect((await stat(join(place, "open"))).ino).toBe(ino);
    expect((await readdir(place)).sort()).toEqual(["open", "shut"]);
  },
);

test("a file that cannot be replaced, as one that is mounted by itself, is written in place", async () => {
  const place = join(folder, "mounted");
  await mkdir(place);
  for (const name of ["mount", "file"]) await writeFile(join(place, name), "a longer old text");
  try {
    execFileSync("mount", ["--bind", join(place, "mount"), join(place, "file")], { stdio: "ignore" });
  } catch {
    return; // not allowed here
  }
  try {
    await writeFileAtomic(join(place, "file"), "new");
    expect(await readFile(join(place, "mount"), "utf8")).toBe("new");
  } finally {
    execFileSync("umount", [join(place, "file")]);
  }
  expect((await readdir(place)).sort()).toEqual(["file", "mount"]);
});

test.runIf(process.platform === "linux")("a pipe is written through, whole or by lines, and stays one", async () => {
  const read = () => {
    const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "ignore"] });
    return text(reader.stdout);
  };
  const whole = read();
  await writeFileAtomic(pipe, "whole\n");
  expect(await whole).toBe("whole\n");
  const lines = read();
  const file = await LineFile.open(pipe);
  await file.append("one\n");
  await file.append("two\n");
  await file.close();
  expect(await lines).toBe("one\ntwo\n");
  expect((await lstat(pipe)).isFIFO()).toBe(true);
});

test.runIf(process.platform === "linux")(
  "a pipe's reader may come late; if none comes that is an error, and a run's model is no pipe",
  async () => {
    const written = writeFileAtomic(pipe, "late\n");
    await pause(100); // so that it is there first
    expect(await text(spawn("cat", [pipe], { stdio: ["ignore", "pipe", "ignore"] }).stdout)).toBe("late\n");
    await written;
    await expect(openSink({ kind: "special", path: pipe }, 50)).rejects.toMatchObject({ code: "ENXIO" });
    const big = "x".repeat(1 << 20); // more than a pipe holds
    const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "ignore"] });
    const [read] = await Promise.all([text(reader.stdout), writeFileAtomic(pipe, big)]);
    expect(read === big).toBe(true);
    const run = join(folder, "run");
    await mkdir(run);
    execFileSync("mkfifo", [join(run, "model.safetensors")]);
    expect(await refusal(claimRun(run))).toContain("model.safetensors: it is a pipe, not a file");
  },
);

test("several files are replaced together: none is touched where one cannot be written", async () => {
  const place = join(folder, "together");
  await mkdir(join(place, "folder"), { recursive: true });
  for (const name of ["a", "b"]) await writeFile(join(place, name), "old");
  expect(
    await refusal(
      replaceFiles([
        [join(place, "a"), "new"],
        [join(place, "b"), null],
        [join(place, "folder"), "new"],
      ]),
    ),
  ).toContain("it is a folder");
  for (const name of ["a", "b"]) expect(await readFile(join(place, name), "utf8")).toBe("old");
  await replaceFiles([
    [join(place, "a"), "new"],
    [join(place, "b"), null],
  ]);
  expect((await readdir(place)).sort()).toEqual(["a", "folder"]);
});

test("what the system says is put in words with what to do", () => {
  for (const code of ["EXDEV", "EBUSY", "ETXTBSY", "EDQUOT", "EMFILE", "ENFILE", "EIO", "ESTALE", "EFBIG"]) {
    const words = writeReasonOf(Object.assign(new Error(`${code}: raw`), { code }));
    expect(words).toMatch(/^[a-z][^:\n]+ \([^:\n]+\)$/);
    expect(words).not.toContain(code);
  }
});
