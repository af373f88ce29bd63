// npm run fuzz:parsers -- [--minutes N] [--count N] [--seed N] [--parser NAME]
import { withArguments, type Given } from "../../harness/command_line.ts";
import { fuzzParsers, linesOf } from "./fuzz_parsers.ts";
import { parsersNamed } from "./parsers.ts";
import { watchFor } from "./watchdog.ts";

const MINUTES = 1; // if neither time nor count is given
const PATIENCE = 60; // seconds of work per input

/** Fuzzes, prints, and returns the exit code: 0 nothing found, 1 something found, 2 invalid arguments. */
export const main = (args: readonly string[]): Promise<number> =>
  withArguments(args, ["minutes", "count", "seed", "parser"], optionsOf, run);

function optionsOf({ text, number }: Given) {
  const [minutes, count] = [number("minutes"), number("count")];
  return {
    minutes: minutes ?? (count === null ? MINUTES : Infinity),
    count: count ?? Infinity,
    seed: number("seed") ?? Math.floor(Math.random() * 1e9),
    parsers: parsersNamed(text("parser")),
  };
}

async function run({ minutes, count, seed, parsers }: ReturnType<typeof optionsOf>): Promise<number> {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 60_000;
  const onInput = watchFor(PATIENCE);
  const { findings, counts } = await fuzzParsers(
    parsers,
    { seed, count, goesOn: () => elapsed() < minutes, onInput },
    (finding) => console.log(linesOf(finding)),
  );
  for (const [name, { inputs, valid }] of counts)
    console.log(`${String(inputs).padStart(9)} inputs, ${String(valid).padStart(9)} valid  ${name}`);
  const total = [...counts.values()].reduce((sum, { inputs }) => sum + inputs, 0);
  console.log(
    `${total} inputs in ${elapsed().toFixed(1)} minutes, seed ${seed}: ${findings.length} findings, ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory at most`,
  );
  return findings.length > 0 ? 1 : 0;
}
