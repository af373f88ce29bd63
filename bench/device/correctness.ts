// Compares operations with their float64 definitions on random problems, each operation in turn until the time is over.
import { fuzz, lineOf } from "../../test/fuzz/fuzz.ts";
import { operations } from "../../test/fuzz/operations.ts";
import { goesOn, writeResult } from "./options.ts";

const SEED = 1;

const findings: string[] = [];
let cases = 0;

/** Writes what was done so far, and which operation is next, so that a case that takes too long is known. */
const write = (next: string | null): void => writeResult("correctness", { seed: SEED, cases, next, findings });

function goesOnWithNext(): boolean {
  write(operations[cases % operations.length]!.name);
  cases++;
  return goesOn();
}

const { counts } = await fuzz(operations, { seed: SEED, cases: Infinity, goesOn: goesOnWithNext }, (finding) => {
  findings.push(lineOf(finding));
  console.log(findings.at(-1));
});
const met = [...counts.values()].filter((count) => count > 0).length;
cases = [...counts.values()].reduce((sum, count) => sum + count, 0);
console.log(`${cases} cases of ${met} operations of ${counts.size}, seed ${SEED}: ${findings.length} findings`);
write(null);
process.exit(findings.length > 0 ? 1 : 0);
