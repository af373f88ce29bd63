// Where measurements go: bench/results/NAME.<adapter>.json, and beside what an earlier file says with --against FILE.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Device } from "../src/runtime/device.ts";

/** A time by what was measured. */
export type Times = ReadonlyMap<string, number>;

const SLOWER = 1.15; // times as long, beyond which a row is flagged

/**
 * Writes the report of a benchmark. With `--against FILE` writes nothing but the comparison; the process then ends with 1 if a row is
 * slower.
 * @param timesOf reads the times out of a report's body
 */
export function writeReport<T extends object>(name: string, device: Device, body: T, timesOf: (body: T) => Times): void {
  const { adapter } = device;
  const at = process.argv.indexOf("--against");
  if (at > 0) return compare(process.argv[at + 1], name, adapter.description, timesOf, body);
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const file = `bench/results/${name}.${adapter.description.split(/[^A-Za-z0-9]+/)[0]!.toLowerCase()}.json`;
  writeFileSync(file, `${JSON.stringify({ adapter, commit, date: new Date().toISOString().slice(0, 10), ...body }, null, 1)}\n`);
}

function compare<T extends object>(file: string | undefined, name: string, adapter: string, timesOf: (body: T) => Times, body: T): void {
  if (!file) throw new Error("usage: npm run bench -- NAME --against FILE, a JSON file of bench/results/");
  const earlier = JSON.parse(readFileSync(file, "utf8")) as T & { readonly adapter: { readonly description: string }; readonly commit: string };
  if (earlier.adapter.description !== adapter) console.log(`${file} is of another adapter, ${earlier.adapter.description}: ratios say little`);
  const before = timesOf(earlier);
  console.log(`${name}, against ${earlier.commit}: milliseconds before, now, ratio`);
  for (const [row, now] of timesOf(body)) {
    const then = before.get(row);
    if (then === undefined) {
      console.log(`${row.padEnd(80)} not measured before`);
      continue;
    }
    const slower = now > SLOWER * then;
    console.log(`${row.padEnd(80)} ${then.toPrecision(3).padStart(8)} ${now.toPrecision(3).padStart(8)} ${(now / then).toFixed(2)}${slower ? "  SLOWER" : ""}`);
    if (slower) process.exitCode = 1;
  }
}
