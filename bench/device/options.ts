import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "bench/results" },
    seconds: { type: "string", default: "60" },
    steps: { type: "string", default: "1000" },
    software: { type: "boolean", default: false },
    small: { type: "boolean", default: false },
    autotune: { type: "boolean", default: false },
  },
});

/** Options of the programs that tools/device/measure.sh runs: `small` sizes are for rehearsals on software adapters. */
export const options = {
  ...values,
  seconds: Number(values.seconds),
  steps: Number(values.steps),
};

/** True while there is time. */
export const goesOn = (): boolean => performance.now() < 1000 * options.seconds;

/** Writes a result, anew after each row, so that a program that is ended leaves what it has measured. */
export function writeResult(name: string, result: object): void {
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, `${name}.json`), `${JSON.stringify(result, null, 1)}\n`);
}
