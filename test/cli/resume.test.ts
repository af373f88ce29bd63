// Training that is ended from outside: what was reported saved is there, and --resume makes the bytes of a run that was
// never ended.
import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid, PROGRAM, SHORT, type Outcome } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 12, good: 1, defective: 1, seed: 2 });

const words = (run: string, ...more: string[]) => [
  "train",
  at("set", "plate"),
  "--out",
  at(run),
  ...SHORT,
  "--set",
  "leastAbnormal=60",
  "--least-normal",
  "200",
  "--set",
  "saveEvery=7",
  ...more,
];
const model = (run: string) => readFile(at(run, "model.safetensors"));
const states = (run: string) => readdir(at(run, "training_states")).catch(() => []);

/** Starts training and sends a signal as soon as so many steps have been saved. */
function endedAfter(run: string, saved: number, signal: NodeJS.Signals, ...more: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...words(run, ...more)], { detached: true });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    const poll = setInterval(() => {
      void states(run).then((names) => {
        if (!names.some((name) => Number.parseInt(name) >= saved)) return;
        clearInterval(poll);
        // The program is a launcher and its child; a kill that nobody can catch has to reach both.
        process.kill(signal === "SIGKILL" ? -child.pid! : child.pid!, signal);
      });
    }, 5);
    child.on("close", (code) => {
      clearInterval(poll);
      resolve({ code, stdout, stderr });
    });
  });
}

test("killed twice and resumed, a training ends in the very bytes of one that ran through, with its log", async () => {
  const whole = await bigrid(words("whole"));
  expect(whole).toMatchObject({ code: 0 });
  expect(await readdir(at("whole"))).toEqual(["config.json", "images.json", "model.safetensors", "train.jsonl"]);

  await endedAfter("killed", 21, "SIGKILL");
  // two, and one new before an old one goes
  expect((await states("killed")).filter((name) => name.endsWith(".safetensors")).length).toBeLessThanOrEqual(3);
  const refused = await bigrid(words("killed"));
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("--resume continues it; remove");
  await endedAfter("killed", 140, "SIGKILL", "--resume");
  const resumed = await bigrid(words("killed", "--resume"));
  expect(resumed).toMatchObject({ code: 0 });
  expect(resumed.stderr).toMatch(/resumed after \d+ steps/);
  expect((await model("killed")).equals(await model("whole"))).toBe(true);
  expect(await readFile(at("killed", "train.jsonl"), "utf8")).toBe(await readFile(at("whole", "train.jsonl"), "utf8"));
  expect(await readdir(at("killed"))).toEqual(["config.json", "images.json", "model.safetensors", "train.jsonl"]);
});

test("interrupted, it saves where it stands and says how to go on", async () => {
  const { code, stderr } = await endedAfter("interrupted", 7, "SIGINT");
  expect(code).toBe(1);
  const [, taken] = /ended by SIGINT after (\d+) steps, kept in .*; the same command with --resume continues/.exec(
    stderr,
  )!;
  expect(await states("interrupted")).toContain(`${taken!.padStart(8, "0")}.safetensors`);
  const other = await bigrid(words("interrupted", "--resume", "--seed", "5"));
  expect(other.code).toBe(1);
  expect(other.stderr).toContain("was trained with seed 0, not 5: resume with the same options, or start again");
});

test("over a finished run, interrupted it leaves model, log and report as they were; finished, it replaces them together", async () => {
  await bigrid(words("finished"));
  await writeFile(at("finished", "report.html"), "of the first");
  const files = ["model.safetensors", "train.jsonl", "report.html"];
  const before = await Promise.all(files.map((name) => readFile(at("finished", name))));
  const { code, stderr } = await endedAfter("finished", 7, "SIGINT", "--seed", "5");
  expect([code, stderr]).toEqual([1, expect.stringContaining("ended by SIGINT")]);
  expect(await Promise.all(files.map((name) => readFile(at("finished", name))))).toEqual(before);
  expect(await bigrid(words("finished", "--seed", "5", "--resume"))).toMatchObject({ code: 0 });
  expect(await readdir(at("finished"))).toEqual([
    "config.json",
    "images.json",
    "model.safetensors",
    "report.old.html",
    "train.jsonl",
  ]);
  const after = await Promise.all(["model.safetensors", "train.jsonl"].map((name) => readFile(at("finished", name))));
  for (const [i, bytes] of after.entries()) expect(bytes.equals(before[i]!)).toBe(false);
  expect(await readFile(at("finished", "report.old.html"), "utf8")).toBe("of the first");
});

test("two trainings into one run: the second is refused, with who has it, and the first is not disturbed", async () => {
  const first = bigrid(words("shared"));
  while (!(await readdir(at("shared")).catch(() => [] as string[])).includes("training_states"))
    await new Promise((resolve) => setTimeout(resolve, 10));
  const second = await bigrid(words("shared", "--resume"));
  expect([second.code, second.stderr]).toEqual([
    1,
    expect.stringMatching(/bigrid: another bigrid is writing \S+shared \(process \d+ on /),
  ]);
  expect(await first).toMatchObject({ code: 0 });
  expect((await model("shared")).equals(await model("whole"))).toBe(true);
});
