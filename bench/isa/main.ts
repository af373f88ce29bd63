// Compiles every pipeline of `bench kernels` and `bench grad` by AMD's compiler in Mesa, for a GPU that need not be
// there, and reports what came of it: docs/notes/compiled-kernels.md says how to read it. Writes
// bench/results/isa.<gpu>.json and a page beside it; with --rows, --against or --asm nothing.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { BigridError, InputError } from "../../src/runtime/errors.ts";
import { assemblyOf } from "../../src/cli/isa/assembly.ts";
import { CARDS } from "../../src/cli/isa/cards.ts";
import { compare } from "./comparison.ts";
import { compileFor, SYSTEM, type Compiled, type Places } from "../../src/cli/isa/driver.ts";
import { pageOf } from "./page.ts";
import { rowOf, summaryOf, tableOf, textOf, type Report } from "../../src/cli/isa/report.ts";

interface Options {
  readonly gpu: string;
  readonly rows?: readonly string[];
  readonly against?: string;
  readonly asm?: string;
}

/** @throws CommanderError for invalid options, after printing what is wrong */
function optionsOf(args: readonly string[]): Options {
  return new Command("isa")
    .description("reports what AMD's compiler makes of the kernels, without AMD's hardware")
    .addOption(new Option("--gpu <family>", "the GPU to compile for").choices(Object.keys(CARDS)).makeOptionMandatory())
    .option("--rows <names...>", "only pipelines, and rows of the benchmarks, with this in their names")
    .option("--against <file>", "compares with an earlier report; exits with 1 if a pipeline is worse")
    .option("--asm <row>", "prints the loop of pipelines with this in their names")
    .exitOverride()
    .parse(args, { from: "user" })
    .opts<Options>();
}

/** @throws InputError if the file is no report for that GPU */
function earlierReport(file: string, gpu: string): Report {
  if (!existsSync(file)) throw new InputError(`isa: there is no ${file}`);
  let report: Partial<Report>;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as Partial<Report>;
  } catch (cause) {
    throw new InputError(`isa: ${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (report.gpu !== gpu || !report.rows) {
    throw new InputError(`isa: expected a report for ${gpu}, ${file} is ${report.gpu ? `for ${report.gpu}` : "none"}`);
  }
  return report as Report;
}

function reportOf(gpu: string, { manifest, listings }: Compiled): Report {
  const card = CARDS[gpu]!;
  return {
    gpu,
    card,
    driver: manifest.adapter,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    date: new Date().toISOString().slice(0, 10),
    rows: manifest.pipelines.map((pipeline, i) => rowOf(pipeline, listings.get(i)!, card)),
  };
}

function run({ gpu, rows, against, asm }: Options, places: Places): number {
  const before = against === undefined ? null : earlierReport(against, gpu);
  const words = asm === undefined ? (rows ?? []) : [asm];
  const compile = (manifest: string) => ["test/harness/run.mjs", "../bench/isa/compile", manifest, ...words];
  const compiled = compileFor(gpu, compile, places);
  const { manifest, listings } = compiled;
  if (manifest.pipelines.length === 0) {
    throw new InputError(`isa: neither a pipeline nor a row of the benchmarks has ${words.join(" or ")} in its name`);
  }
  if (asm !== undefined) {
    manifest.pipelines.forEach((pipeline, i) => console.log(assemblyOf(pipeline, listings.get(i)!).join("\n")));
    return 0;
  }
  const report = reportOf(gpu, compiled);
  console.log(`${gpu}, as ${report.card.name}; ${report.driver}; static bounds, nothing was run`);
  if (before) {
    const { lines, worse } = compare(before.rows, report.rows, rows !== undefined);
    console.log([`against ${before.commit} (${before.driver}):`, ...lines].join("\n"));
    return worse > 0 ? 1 : 0;
  }
  console.log([...tableOf(report.rows), ...summaryOf(report.rows)].join("\n"));
  if (rows) return 0;
  const path = `bench/results/isa.${gpu}`;
  writeFileSync(`${path}.json`, textOf(report));
  writeFileSync(`${path}.html`, pageOf(report));
  console.log(`${path}.json, ${path}.html`);
  return 0;
}

/** @returns the exit code */
export function main(args: readonly string[], places: Places = SYSTEM): number {
  try {
    return run(optionsOf(args), places);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (!(error instanceof BigridError)) throw error;
    console.error(error.message);
    return 1;
  }
}
