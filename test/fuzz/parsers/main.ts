// npm run fuzz:parsers -- [--minutes N] [--count N] [--seed N] [--parser NAME]
import { parseArgs } from "node:util";
import { BigridError } from "../../../src/runtime/errors.ts";
import { numberOf } from "../numbers.ts";
import { fuzzParsers, linesOf } from "./fuzz_parsers.ts";
import { parsersNamed } from "./parsers.ts";
import { watchFor } from "./watchdog.ts";

const MINUTES = 1; // where neither time nor count is given
const PATIENCE = 60; // seconds for an input, on a machine that has other work

function readArguments(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({ args: [...args], options: { minutes: text, count: text, seed: text, parser: text } });
    const [minutes, count, seed] = [numberOf("minutes", values.minutes), numberOf("count", values.count), numberOf("seed", values.seed)];
    return {
      minutes: minutes ?? (count === null ? MINUTES : Infinity),
      count: count ?? Infinity,
      seed: seed ?? Math.floor(Math.random() * 1e9),
      parsers: parsersNamed(values.parser ?? null),
    };
  } catch (error) {
    if (error instanceof BigridError || error instanceof TypeError) return error.message; // parseArgs throws the latter
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
  const { minutes, count, seed, parsers } = options;
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 60_000;
  const onInput = watchFor(PATIENCE);
  const { findings, counts } = await fuzzParsers(parsers, { seed, count, goesOn: () => elapsed() < minutes, onInput }, (finding) => console.log(linesOf(finding)));
  for (const [name, { inputs, valid }] of counts) console.log(`${String(inputs).padStart(9)} inputs, ${String(valid).padStart(9)} valid  ${name}`);
  const total = [...counts.values()].reduce((sum, { inputs }) => sum + inputs, 0);
  console.log(`${total} inputs in ${elapsed().toFixed(1)} minutes, seed ${seed}: ${findings.length} findings, ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory at most`);
  return findings.length > 0 ? 1 : 0;
}
