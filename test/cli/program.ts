import { spawn } from "node:child_process";

// The built program, run as a user runs it: `npm test` builds it first.
export const PROGRAM = new URL("../../dist/bigrid.js", import.meta.url).pathname;

/** Options of `train` for a model that need not be good: the least of everything. What is named after them counts. */
export const SHORT = [
  "--size",
  "64",
  "--batch",
  "2",
  "--epochs-abnormal",
  "1",
  "--epochs-normal",
  "1",
  "--least-normal",
  "20",
  ...["folds=0", "epochsResidual=1", "leastAbnormal=10", "leastResidual=10"].flatMap((setting) => ["--set", setting]),
] as const;

/** The same for a model that has to find the defects of a synthetic set. */
export const ENOUGH = [...SHORT, "--set", "leastAbnormal=50", "--least-normal", "200"] as const;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function bigrid(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input: string | Uint8Array = "",
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...words], { env: { ...process.env, ...env } });
    child.stdin.on("error", () => undefined); // it may end before it has read that
    child.stdin.end(input);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
