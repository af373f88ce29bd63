// npm run fuzz -- [--seconds N] [--cases N] [--seed N] [--op NAME]
import { parseArgs } from "node:util";
import { OptionError } from "../../src/runtime/errors.ts";
import { chosen, fuzz, lineOf } from "./fuzz.ts";
import { numberOf } from "./numbers.ts";
import { operations } from "./operations.ts";

const SECONDS = 60; // where neither time nor cases are given

function readArguments(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({ args: [...args], options: { seconds: text, cases: text, seed: text, op: text } });
    const [seconds, cases, seed] = [numberOf("seconds", values.seconds), numberOf("cases", values.cases), numberOf("seed", values.seed)];
    return {
      seconds: seconds ?? (cases === null ? SECONDS : Infinity),
      cases: cases ?? Infinity,
      seed: seed ?? Math.floor(Math.random() * 1e9),
      running: chosen(operations, values.op ?? null),
    };
  } catch (error) {
    if (error instanceof OptionError || error instanceof TypeError) return error.message; // parseArgs throws the latter
    throw error;
  }
}

/** Fuzzes, prints, and returns the exit code: 0 nothing found, 1 something found, 2 arguments that make no sense. */
export async function main(args: readonly string[]): Promise<number> {
  const options = readArguments(args);
  if (typeof options === "string") {
    console.error(options.split("\n")[0]);
    return 2;
  }
  const { seconds, cases, seed, running } = options;
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const { findings, counts } = await fuzz(running, { seed, cases, goesOn: () => elapsed() < seconds }, (finding) => console.log(lineOf(finding)));
  for (const [name, count] of counts) console.log(`${String(count).padStart(6)}  ${name}`);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${total} cases in ${elapsed().toFixed(1)} s, ${(total / elapsed()).toFixed(1)} a second, seed ${seed}: ${findings.length} findings`);
  return findings.length > 0 ? 1 : 0;
}
