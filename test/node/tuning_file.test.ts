import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDevice } from "../../src/node/device.ts";
import { tuningFile, tuningPath } from "../../src/node/tuning_file.ts";
import { matmul } from "../../src/ops/matmul.ts";
import type { Device } from "../../src/runtime/device.ts";
import { tune, tunePending } from "../../src/runtime/tuner.ts";
import { zeros } from "../../src/tensor/tensor.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const KEY = "bigrid 1.0; maker; some/card: driver 5";

const variables = { ...process.env };
let cache: string;
beforeEach(async () => void (process.env["XDG_CACHE_HOME"] = cache = await temporaryFolder()));
afterEach(() => {
  for (const name of ["XDG_CACHE_HOME", "BIGRID_AUTOTUNE"]) {
    if (variables[name] === undefined) delete process.env[name];
    else process.env[name] = variables[name];
  }
});

describe("choices are kept in a file of the user's cache,", () => {
  test("one for each adapter, named after it", async () => {
    await tuningFile(KEY).save({ a: "x" });
    expect(tuningPath(KEY)).toBe(join(cache, "bigrid", "tuning", "bigrid_1.0_maker_some_card_driver_5.json"));
    expect(JSON.parse(await readFile(tuningPath(KEY), "utf8"))).toEqual({ adapter: KEY, choices: { a: "x" } });
    await expect(tuningFile(`${KEY}5`).load()).rejects.toThrow("it does not exist");
  });

  test("beside those of other processes", async () => {
    const [one, other] = [tuningFile(KEY), tuningFile(KEY)];
    await one.save({ a: "x", b: "y" });
    await other.save({ b: "z", c: "w" });
    expect(await one.load()).toEqual({ a: "x", b: "z", c: "w" });
  });

  test("not taken for those of an adapter whose name looks the same", async () => {
    await tuningFile(KEY).save({ a: "x" });
    expect(await tuningFile(KEY.replace("/", "_")).load()).toEqual({});
  });

  test.each(["", "{", "null", "[1]", "\0\x01"])("and replaced where they are %j", async (contents) => {
    await mkdir(dirname(tuningPath(KEY)), { recursive: true });
    await writeFile(tuningPath(KEY), contents);
    await tuningFile(KEY).save({ a: "x" });
    expect(await tuningFile(KEY).load()).toEqual({ a: "x" });
  });
});

/** Multiplies something that has several forms. */
function multiply(device: Device): void {
  using _scope = device.scope();
  matmul(zeros(device, [1, 40, 8]), zeros(device, [1, 8, 36]));
}

describe("a device", () => {
  const devices: Device[] = [];
  const open = async (autotune?: boolean): Promise<Device> => {
    const device = await openDevice(autotune === undefined ? {} : { autotune });
    devices.push(device);
    return device;
  };
  afterEach(() => devices.splice(0).forEach((device) => device.destroy()));

  test("that measured once spares the next one the work", async () => {
    const first = await open(true);
    multiply(first);
    expect(await tunePending(first)).toBe(true);
    const second = await open(true);
    multiply(second);
    expect(await tunePending(second)).toBe(false);
    expect(second.tuner.choices).toEqual(first.tuner.choices);
    expect(second.tuner.choices.size).toBe(1);
  });

  test("neither measures nor looks at what was kept, unless it is to", async () => {
    const first = await open();
    expect(await tune(first, () => multiply(first))).toBe(1);
    const second = await open();
    multiply(second);
    expect([second.tuner.isPending, second.tuner.choices.size]).toEqual([false, 0]);
  });

  test("is to where BIGRID_AUTOTUNE says so, and no option otherwise", async () => {
    process.env["BIGRID_AUTOTUNE"] = "1";
    const [asked, told] = [await open(), await open(false)];
    [asked, told].forEach(multiply);
    expect([asked.tuner.isPending, told.tuner.isPending]).toEqual([true, false]);
  });

  test("works on where the cache is no folder, or holds nonsense", async () => {
    const file = join(cache, "file");
    await writeFile(file, "");
    process.env["XDG_CACHE_HOME"] = file;
    const first = await open(true);
    multiply(first);
    expect(await tunePending(first)).toBe(true);

    process.env["XDG_CACHE_HOME"] = cache;
    const second = await open(true);
    multiply(second);
    await tunePending(second);
    const [[key]] = [...second.tuner.choices] as [[string, string]];
    const folder = join(cache, "bigrid", "tuning");
    const [name] = await readdir(folder);
    await writeFile(join(folder, name!), "nonsense");
    const third = await open(true);
    expect(third.tuner.choices.size).toBe(0);
    multiply(third);
    expect(await tunePending(third)).toBe(true);
    expect(third.tuner.choices.has(key)).toBe(true);
  });
});
