// Output of measurements: bench/results/NAME.<adapter>.json or, with --against FILE, a comparison with an earlier file.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "../src/runtime/device.ts";

/** Times by name of the measurement. */
export type Times = ReadonlyMap<string, number>;

const SLOWER = 1.15; // ratio of times above which a row is flagged

/** Words after a command-line option, up to the next option; null if the option is absent. */
function wordsBehind(option: string): readonly string[] | null {
  const at = process.argv.indexOf(option);
  if (at < 0) return null;
  const rest = process.argv.slice(at + 1);
  const end = rest.findIndex((word) => word.startsWith("--"));
  const words = end < 0 ? rest : rest.slice(0, end);
  if (words.length === 0)
    throw new Error(`usage: npm run bench -- NAME [--against FILE] [--rows WORD...]: nothing behind ${option}`);
  return words;
}

/** True if --unchecked asks for a second measurement without a device's checks. */
export const wantsUnchecked = (): boolean => process.argv.includes("--unchecked");

/** The rows selected by --rows; all without it. */
export function wantedRows<T>(rows: readonly T[], nameOf: (row: T) => string): readonly T[] {
  const words = wordsBehind("--rows");
  return words ? rows.filter((row) => words.some((word) => nameOf(row).includes(word))) : rows;
}

/** The rows for which there is time before --seconds are over; all without it. Prints how many are left out. */
export function* inTime<T>(rows: readonly T[]): Generator<T> {
  const seconds = Number(wordsBehind("--seconds")?.[0] ?? Infinity);
  for (const [i, row] of rows.entries()) {
    if (performance.now() > 1000 * seconds) {
      console.log(`${rows.length - i} of ${rows.length} rows left out: ${seconds} s are over`);
      return;
    }
    yield row;
  }
}

/** The commit that is measured: BIGRID_COMMIT outside a repository; null without that. */
function currentCommit(): string | null {
  const told = process.env["BIGRID_COMMIT"];
  if (told) return told;
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return null;
  }
}

/**
 * Writes the report of a benchmark: to the folder of --out or, if neither --rows selects only a part nor --against asks
 * for a comparison, to bench/results; and to that of --part, from which bench/run.mjs makes a page.
 */
export function writeReport(name: string, { adapter }: Device, body: object): void {
  const [out, part] = ["--out", "--part"].map((option) => wordsBehind(option)?.[0]);
  const folder = out ?? (wordsBehind("--rows") || wordsBehind("--against") ? undefined : "bench/results");
  const file = `${name}.${adapter.description.split(/[^A-Za-z0-9]+/)[0]!.toLowerCase()}.json`;
  const report = { adapter, commit: currentCommit(), date: new Date().toISOString().slice(0, 10), ...body };
  for (const each of [folder, part]) {
    if (each === undefined) continue;
    mkdirSync(each, { recursive: true });
    writeFileSync(join(each, file), `${JSON.stringify(report, null, 1)}\n`);
  }
}

/** An earlier report to compare with. */
export class Comparison<T> {
  readonly #title: string;
  readonly #timesOf: (body: T) => Times;
  readonly #before: Times;

  private constructor(title: string, timesOf: (body: T) => Times, before: Times) {
    this.#title = title;
    this.#timesOf = timesOf;
    this.#before = before;
  }

  /**
   * The comparison requested by --against; null without it.
   * @param timesOf reads the times out of a report's body
   */
  static asked<T>(name: string, { adapter }: Device, timesOf: (body: T) => Times): Comparison<T> | null {
    const file = wordsBehind("--against")?.[0];
    if (!file) return null;
    const earlier = JSON.parse(readFileSync(file, "utf8")) as T & {
      readonly adapter: { readonly description: string };
      readonly commit: string;
    };
    if (earlier.adapter.description !== adapter.description) {
      console.log(`${file} is of another adapter, ${earlier.adapter.description}: ratios say little`);
    }
    return new Comparison(
      `${name}, against ${earlier.commit}: milliseconds before, now, ratio`,
      timesOf,
      timesOf(earlier),
    );
  }

  isSlower(row: string, milliseconds: number): boolean {
    const before = this.#before.get(row);
    return before !== undefined && milliseconds > SLOWER * before;
  }

  /** Prints old times, new ones and their ratios; the process exits with 1 if a row is slower. Writes nothing. */
  report(body: T): void {
    console.log(this.#title);
    const now = this.#timesOf(body);
    let [slower, compared] = [0, 0];
    for (const [row, milliseconds] of now) {
      const before = this.#before.get(row);
      if (before === undefined) {
        console.log(`${row.padEnd(82)} not measured before`);
        continue;
      }
      compared++;
      const isSlower = this.isSlower(row, milliseconds);
      if (isSlower) slower++;
      const ratio = (milliseconds / before).toFixed(2);
      console.log(
        `${row.padEnd(82)} ${before.toPrecision(3).padStart(8)} ${milliseconds.toPrecision(3).padStart(8)} ${ratio}${isSlower ? "  SLOWER" : ""}`,
      );
    }
    if (!wordsBehind("--rows"))
      for (const row of this.#before.keys()) if (!now.has(row)) console.log(`${row.padEnd(82)} not measured now`);
    console.log(`${compared} rows compared, ${slower} of them take more than ${SLOWER} times as long`);
    if (slower > 0) process.exitCode = 1;
  }
}
