// The command line as a process: how it ends, by itself, by signals and with its parent, and what its streams may do to
// it.
import { execFileSync, spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/terminal/exit_codes.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, PROGRAM } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 2, good: 1, defective: 1, seed: 2 });
await writeFile(at("model"), "no model, which is noticed after the list was read");
const WAITS = ["predict", at("model"), "-"]; // for a list that does not come
const MOMENTS = [0, 20, 50, 100, 150, 200, 300, 400]; // milliseconds after the child is there

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const started: ChildProcess[] = [];
afterAll(() =>
  started
    .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    .forEach((child) => child.kill("SIGKILL")),
);

function start(words: readonly string[], flags: readonly string[] = [], stdio: StdioOptions = "pipe"): ChildProcess {
  const child = spawn(process.execPath, [...flags, PROGRAM, ...words], { stdio });
  started.push(child);
  return child;
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

function endOf(child: ChildProcess): Promise<End> {
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stderr })));
}

/** The process that the launcher has started, as soon as there is one. */
async function workerOf({ pid }: ChildProcess): Promise<number> {
  for (;;) {
    const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    if (worker) return Number(worker);
    await pause(1);
  }
}

describe("the launcher", () => {
  test("gives its child's exit code, or 128 and the number of the signal that ended it", () => {
    expect([exitCodeOf(0, null), exitCodeOf(3, null), exitCodeOf(null, null)]).toEqual([0, 3, 1]);
    expect([exitCodeOf(null, "SIGINT"), exitCodeOf(null, "SIGSEGV"), exitCodeOf(null, "SIGTERM")]).toEqual([
      130, 139, 143,
    ]);
  });

  test.each(["SIGKILL", "SIGSEGV", "SIGTERM"] as const)(
    "exits with that code where signals of its own do not end it, as in a container: %s",
    async (signal) => {
      const child = start(WAITS, ["--import", "data:text/javascript,if(!process.send)process.kill=()=>true"]);
      const end = endOf(child);
      process.kill(await workerOf(child), signal);
      expect(await end).toMatchObject({ code: exitCodeOf(null, signal), signal: null });
    },
  );

  test("is the first process of a container, and its child is killed: the exit code says so", async () => {
    const inside = spawn("unshare", ["--pid", "--fork", "--mount-proc", process.execPath, PROGRAM, ...WAITS], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    started.push(inside);
    const end = endOf(inside);
    const launcher = await workerOf(inside);
    process.kill(await workerOf({ pid: launcher } as ChildProcess), "SIGKILL");
    expect(await end).toMatchObject({ code: 137, signal: null });
  });

  test("is ended by the signal that ended its child, and says so where nobody asked for that", async () => {
    const child = start(WAITS);
    const end = endOf(child);
    process.kill(await workerOf(child), "SIGKILL");
    expect(await end).toMatchObject({
      code: null,
      signal: "SIGKILL",
      stderr: expect.stringContaining("bigrid: ended by SIGKILL") as string,
    });
  });

  test("is killed: its child ends with it, from its first moment on", async () => {
    for (const moment of MOMENTS) {
      const child = start(WAITS);
      const end = endOf(child);
      const worker = await workerOf(child);
      await pause(moment);
      child.kill("SIGKILL");
      while (existsSync(`/proc/${worker}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${worker}/status`, "utf8")))
        await pause(5);
      expect((await end).signal).toBe("SIGKILL");
    }
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("passes %s on in every phase, and ends by it", async (signal) => {
    for (const moment of MOMENTS) {
      const child = start(WAITS);
      const end = endOf(child);
      await workerOf(child);
      await pause(moment);
      child.kill(signal);
      expect(await end).toEqual({ code: null, signal, stderr: "" });
    }
  });
});

const PRINTING = [
  ["--version"],
  ["--help"],
  ["predict", "--help"],
  ["inspect", at("set", "plate")],
  ["inspect", at("set", "plate"), "--json"],
  ["info"],
  ["info", "--json"],
];

describe("standard output", () => {
  test.each(PRINTING)(
    "that nobody reads any more ends bigrid %s %s quietly, as programs do that a closed pipe ends",
    async (...words) => {
      const child = start(words);
      const end = endOf(child);
      child.stdout!.destroy();
      const { code, stderr } = await end;
      expect(code).toBe(141);
      expect(stderr).not.toMatch(/bigrid:|Error|\bat /);
    },
  );

  test.each(PRINTING)("without room for what bigrid %s %s prints is one line and a failure", async (...words) => {
    const full = openSync("/dev/full", "w");
    const { code, stderr } = await endOf(start(words, [], ["ignore", full, "pipe"]));
    closeSync(full);
    expect(code).toBe(1);
    expect(stderr.split("\n").filter((line) => line.includes("bigrid:"))).toEqual([
      "bigrid: cannot write to standard output: the disk is full",
    ]);
    expect(stderr).not.toMatch(/\bat .*\(/);
  });

  test("that is closed is an error where one object was to be printed; a null device is none", async () => {
    const shell = (end: string) =>
      endOf(
        spawn("sh", ["-c", `exec "$0" "$1" inspect "$2" --json ${end}`, process.execPath, PROGRAM, at("set", "plate")]),
      );
    const { code, stderr } = await shell(">&-");
    expect([code, stderr]).toEqual([
      1,
      "bigrid: standard output is closed, where --json prints: open it, or leave --json out\n",
    ]);
    expect((await shell(">/dev/null")).code).toBe(0);
  });
});

test("standard error that nobody reads, or that is closed, changes nothing", async () => {
  const { stdout } = await bigrid(["inspect", at("set", "plate"), "--json"]);
  for (const end of ["2>&-", "2>/dev/full"]) {
    const child = spawn("sh", [
      "-c",
      `exec "$0" "$1" inspect "$2" --json ${end}`,
      process.execPath,
      PROGRAM,
      at("set", "plate"),
    ]);
    let printed = "";
    child.stdout.on("data", (data: Buffer) => (printed += data.toString()));
    expect((await endOf(child)).code).toBe(0);
    expect(printed).toBe(stdout);
  }
  const child = start(["inspect", at("set", "plate"), "--json"]);
  let printed = "";
  child.stdout!.on("data", (data: Buffer) => (printed += data.toString()));
  child.stderr!.destroy();
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  expect(printed).toBe(stdout);
});

describe("a pipe", () => {
  const pipe = at("pipe");
  execFileSync("mkfifo", [pipe]);

  test.each([
    ["a run", ["predict", pipe, at("set")]],
    ["a run to measure", ["eval", pipe, at("set", "plate"), "--no-report"]],
    ["a model to describe", ["info", "--model", pipe]],
    ["a shard", ["merge", pipe, "--out", at("merged")]],
    ["a mask", ["predict", at("model"), at("set"), "--ignore", pipe]],
    ["a region", ["train", at("set", "plate"), "--out", at("trained"), "--roi", pipe]],
    [
      "weights",
      ["train", at("set", "plate"), "--out", at("trained"), "--backbone", "efficientnet-b0", "--weights", pipe],
    ],
  ])("as %s is refused by its kind", async (_what, words) => {
    const { code, stderr } = await bigrid(words);
    expect(code).toBe(1);
    expect(stderr).toMatch(/bigrid: cannot read (the weights )?\S+pipe: it is a pipe, not a file\n$/);
  });

  test("as a list of images is read, by any name that a shell gives it", async () => {
    const shell = (images: string) =>
      endOf(
        spawn("bash", ["-c", `exec "$0" "$1" predict "$2" ${images}`, process.execPath, PROGRAM, at("model")], {
          stdio: ["ignore", "ignore", "pipe"],
        }),
      );
    expect((await shell("<(printf '')")).stderr).toMatch(/^bigrid: the list on \/dev\/fd\/\d+ is empty\n$/);
    expect((await shell(`<(cat ${at("set", "plate", "train", "good", "000.png")})`)).stderr).toContain(
      "it is an image, where a list of their names is needed",
    );
    expect((await bigrid(["predict", at("model"), "/dev/stdin"], {}, "")).stderr).toBe(
      "bigrid: the list on standard input is empty\n",
    );
    expect((await shell("- < /dev/zero")).stderr).toMatch(
      /^bigrid: cannot read the list on standard input: it has more than 268435456 bytes, which no list of images has\n$/,
    );
  });
});

test("a process that ends while kernels are compiled, with nothing in the driver's cache, ends as it was to", async () => {
  const script = `
    const { openDevice, fromArray, matmul, conv2d, gaussianBlur } = await import(process.argv[1]);
    const device = await openDevice();
    const square = fromArray(device, [1, 8, 8, 4], new Float32Array(256));
    void device.prepare(() => [matmul(fromArray(device, [1, 4, 4], new Float32Array(16)), fromArray(device, [1, 4, 4], new Float32Array(16))), conv2d(square, fromArray(device, [3, 3, 4, 4], new Float32Array(144))), gaussianBlur(square, { size: 3, sigma: 1 })]);
    setTimeout(() => process.exit(7), Number(process.argv[2]));`;
  for (const moment of [0, 5, 20]) {
    const cache = await mkdtemp(at("cache-"));
    const env = { ...process.env, MESA_SHADER_CACHE_DIR: cache };
    const child = spawn(
      process.execPath,
      ["--input-type=module", "-e", script, new URL("../../dist/node.js", import.meta.url).href, String(moment)],
      { env },
    );
    const { code, signal, stderr } = await endOf(child);
    await rm(cache, { recursive: true });
    expect([code, signal, stderr.includes("SPIR")]).toEqual([7, null, false]);
  }
});
