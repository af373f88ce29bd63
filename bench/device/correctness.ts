// Compares operations with their float64 definitions on random problems, each operation in turn until the time is over.
import { fuzz, lineOf } from "../../test/fuzz/fuzz.ts";
import { operations } from "../../test/fuzz/operations.ts";
import { goesOn, options, writeResult } from "./options.ts";

const SEED = 1;

const lines: string[] = [];
const { counts } = await fuzz(operations, { seed: SEED, cases: Infinity, goesOn }, (finding) => {
  lines.push(lineOf(finding));
  console.log(lines.at(-1));
});
const cases = [...counts.values()].reduce((sum, count) => sum + count, 0);
const met = [...counts.values()].filter((count) => count > 0).length;
console.log(`${cases} cases of ${met} operations of ${counts.size}, seed ${SEED}: ${lines.length} findings`);
writeResult("correctness", {
  seed: SEED,
  seconds: options.seconds,
  cases,
  counts: Object.fromEntries(counts),
  findings: lines,
});
process.exit(lines.length > 0 ? 1 : 0);
