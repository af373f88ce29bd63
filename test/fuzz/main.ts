// npm run fuzz -- [--seconds N] [--cases N] [--seed N] [--op NAME]
import { withArguments, type Given } from "../harness/command_line.ts";
import { chosen, fuzz, lineOf } from "./fuzz.ts";
import { operations } from "./operations.ts";

const SECONDS = 60; // if neither time nor cases are given

/** Fuzzes, prints, and returns the exit code: 0 nothing found, 1 something found, 2 invalid arguments. */
export const main = (args: readonly string[]): Promise<number> =>
  withArguments(args, ["seconds", "cases", "seed", "op"], optionsOf, run);

function optionsOf({ text, number }: Given) {
  const [seconds, cases] = [number("seconds"), number("cases")];
  return {
    seconds: seconds ?? (cases === null ? SECONDS : Infinity),
    cases: cases ?? Infinity,
    seed: number("seed") ?? Math.floor(Math.random() * 1e9),
    running: chosen(operations, text("op")),
  };
}

async function run({ seconds, cases, seed, running }: ReturnType<typeof optionsOf>): Promise<number> {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const { findings, counts } = await fuzz(running, { seed, cases, goesOn: () => elapsed() < seconds }, (finding) =>
    console.log(lineOf(finding)),
  );
  for (const [name, count] of counts) console.log(`${String(count).padStart(6)}  ${name}`);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `${total} cases in ${elapsed().toFixed(1)} s, ${(total / elapsed()).toFixed(1)} a second, seed ${seed}: ${findings.length} findings`,
  );
  return findings.length > 0 ? 1 : 0;
}
