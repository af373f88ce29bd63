import { existsSync } from "node:fs";
import { appendFile, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Journal, readEntries, readHeader } from "../../src/node/files/journal.ts";
import { LineFile } from "../../src/node/files/line_file.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const at = (name: string) => join(folder, name);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("a file of lines", () => {
  test("grows, and loses a last line that has no end, whether short or long", async () => {
    for (const torn of ["thr", "x".repeat(200_000)]) {
      await writeFile(at("a"), `one\ntwo\n${torn}`);
      const file = await LineFile.open(at("a"));
      await file.append("three\n");
      await file.append("");
      await file.close();
      expect(await readFile(at("a"), "utf8")).toBe("one\ntwo\nthree\n");
    }
    await writeFile(at("b"), "no line");
    const file = await LineFile.open(at("b"));
    await file.append("line\n", true);
    await file.close();
    expect(await readFile(at("b"), "utf8")).toBe("line\n");
  });

  test("says in one line that it cannot be written", async () => {
    await expect(LineFile.open(join(folder, "none", "a"))).rejects.toThrow("its folder does not exist (make it first)");
  });

  test.runIf(existsSync("/dev/full"))(
    "on a full disk says so in one line; a device is not replaced by a file",
    async () => {
      const full = await LineFile.open("/dev/full");
      await expect(full.append("line\n")).rejects.toThrow(
        "cannot write /dev/full: the disk is full (free some space, or choose another disk)",
      );
      await full.close();
    },
  );

  test("takes back what was written of lines that found no room", async () => {
    const file = await LineFile.open(at("c"));
    await file.append("one\n");
    // A disk that is full after three more bytes, as the system tells it: a short write, then an error.
    const handle = await open(at("c"));
    const prototype = Object.getPrototypeOf(handle) as {
      write: (...args: unknown[]) => Promise<{ bytesWritten: number }>;
    };
    await handle.close();
    const { write } = prototype;
    let room = 3;
    prototype.write = async function (this: unknown, bytes: unknown, offset: unknown) {
      if (room === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      const { bytesWritten } = await write.call(this, bytes, offset, room);
      room -= bytesWritten;
      return { bytesWritten };
    };
    try {
      await expect(file.append("two and more\n")).rejects.toThrow("the disk is full");
    } finally {
      prototype.write = write;
    }
    expect(await readFile(at("c"), "utf8")).toBe("one\n");
    await file.append("three\n");
    await file.close();
    expect(await readFile(at("c"), "utf8")).toBe("one\nthree\n");
  });
});

describe("a journal", () => {
  const begin = (name: string, header: object = { of: "x" }) => Journal.open<object, { n: number }>(at(name), header);

  test("keeps its header and entries, and goes on after the last whole one", async () => {
    const { journal } = await begin("j");
    await journal.append([{ n: 1 }, { n: 2 }]);
    await journal.close();
    await appendFile(at("j"), '{"n":3');
    expect(await all(readEntries(at("j")))).toEqual([{ n: 1 }, { n: 2 }]);
    const again = await begin("j", { of: "y" });
    expect(again.header).toEqual({ of: "x" });
    await again.journal.append([{ n: 4 }]);
    expect(await all(readEntries(at("j")))).toEqual([{ n: 1 }, { n: 2 }, { n: 4 }]);
    await again.journal.remove();
    expect(await readHeader(at("j"))).toBeNull();
  });

  test("of which only a part of the header is there is begun anew", async () => {
    await writeFile(at("h"), '{"of":');
    const { journal, header } = await begin("h");
    expect(header).toEqual({ of: "x" });
    expect(await readHeader(at("h"))).toEqual({ of: "x" });
    await journal.close();
  });

  test("that is another file is refused, and untouched", async () => {
    await writeFile(at("k"), "a,b\n1,2\n");
    await expect(begin("k")).rejects.toThrow("line 1 is no JSON object");
    expect(await readFile(at("k"), "utf8")).toBe("a,b\n1,2\n");
  });

  test("with a line of any length is read in time that grows with it alone", async () => {
    // looked through again at each of its parts, it would take a quarter of an hour
    const entry = { n: "x".repeat(30e6) };
    await writeFile(at("m"), `{}\n${JSON.stringify(entry)}\n`);
    expect((await all(readEntries<typeof entry>(at("m")))).map(({ n }) => n.length)).toEqual([30e6]);
  });

  test("is open once at a time", async () => {
    const { journal } = await begin("l");
    await expect(begin("l")).rejects.toThrow(`another bigrid is writing ${at("l")}`);
    await journal.close();
    await (await begin("l")).journal.close();
  });
});
