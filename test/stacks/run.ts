// Runs bundled test files wherever there is navigator.gpu, with vitest's own runner.
import { startTests, type File, type Suite, type Test, type VitestRunner } from "@vitest/runner";
import { describeAdapter } from "../../src/browser/device.ts";

const TIMEOUT_MILLISECONDS = 300_000; // as in vitest.config.ts: against tests that hang

/** Counts of tests, named as in the last line of a run. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** A plan of the tests to run. */
export interface Plan {
  /** Name of the stack that runs them, for the first line. */
  readonly stack: string;
  /** Bundled module of each test file, relative to this module. */
  readonly files: Readonly<Record<string, string>>;
  /** Reasons why other test files are not in the bundle. */
  readonly refused: Readonly<Record<string, string>>;
}

/**
 * Runs test files one after another.
 * @param say called with each line of the report
 * @returns the number of tests by outcome
 */
export async function run({ stack, files, refused }: Plan, say: (line: string) => void): Promise<Totals> {
  const { adapter, missing } = await describeAdapter();
  say(`${stack}, adapter ${adapter.description}${missing.length > 0 ? `, no ${missing.join(", no ")}` : ""}`);
  for (const [path, reason] of Object.entries(refused)) say(`left out ${path}: ${reason}`);
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const runner: VitestRunner = {
    config: {
      root: "/",
      setupFiles: [],
      name: undefined,
      passWithNoTests: false,
      testNamePattern: undefined,
      allowOnly: false,
      sequence: { seed: 1, hooks: "stack", setupFiles: "list" },
      chaiConfig: undefined,
      maxConcurrency: 1,
      testTimeout: TIMEOUT_MILLISECONDS,
      hookTimeout: TIMEOUT_MILLISECONDS,
      retry: 0,
      includeTaskLocation: false,
      tags: [],
      tagsFilter: undefined,
      strictTags: false,
    },
    importFile: (path) => import(/* @vite-ignore */ `./${files[path.slice(1)]!}`) as Promise<unknown>,
  };
  for (const path of Object.keys(files).sort()) {
    const start = performance.now();
    const [file] = await startTests([`/${path}`], runner);
    const count = countOf(file!, say);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    say(`${count.failed > 0 ? "FAILED" : "passed"} ${path}: ${totalsLine(count)} (${seconds} s)`);
    for (const outcome of ["passed", "failed", "skipped"] as const) totals[outcome] += count[outcome];
  }
  return totals;
}

/** "N passed, N failed", and skipped ones if there are any. */
export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function countOf(file: File, say: (line: string) => void): Totals {
  const count: Totals = { passed: 0, failed: 0, skipped: 0 };
  const visit = (task: Test | Suite, names: readonly string[]) => {
    for (const { message, diff } of task.result?.errors ?? []) {
      say(`  failed: ${names.join(" > ")}\n    ${message}${diff ? `\n${diff}` : ""}`);
    }
    if (task.type === "suite") return task.tasks.forEach((child) => visit(child, [...names, child.name]));
    const state = task.result?.state;
    count[state === "pass" ? "passed" : state === "fail" || task.mode === "run" ? "failed" : "skipped"]++;
  };
  visit(file, []);
  // A file that does not load has no tests, but counts as failed; so does a suite's failed hook.
  if (file.result?.state === "fail" && count.failed === 0) count.failed++;
  return count;
}
