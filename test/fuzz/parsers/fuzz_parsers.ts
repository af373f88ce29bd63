import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import { BigridError } from "../../../src/runtime/errors.ts";
import { Draws } from "../../harness/draws.ts";
import { mutated, spliced } from "./mutate.ts";
import { LONGEST_PATH, type Parser } from "./parsers.ts";

const CORPUS = "test/fuzz/corpus";
const MOST_BYTES = 128e6; // largest increase of the process's peak memory by one input
const LONGEST_WORDS = 500 + 3 * LONGEST_PATH; // of an error, which may name three paths

/** An input that a parser failed on, minimised. */
export interface Finding {
  readonly parser: string;
  /** The problem, in a few words and the error's message. */
  readonly problem: string;
  readonly input: Uint8Array;
  /** Seed that reproduces it. */
  readonly seed: number;
}

/** Seed inputs of a parser, by name: valid ones, and earlier findings. */
export function corpusOf(parser: string): ReadonlyMap<string, Uint8Array> {
  const folder = join(CORPUS, parser);
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
}

export type Outcome = "valid" | "refused" | { readonly problem: string };

/** Peak memory of this process, in bytes. */
const peakBytes = (): number => 1024 * process.resourceUsage().maxRSS;

/** Checks that a parser returns a value or throws one of the project's errors, and that it uses little memory. */
export async function outcomeOf({ parse }: Parser, input: Uint8Array, peak = peakBytes): Promise<Outcome> {
  const before = peak();
  let outcome: Outcome;
  try {
    await parse(input);
    outcome = "valid";
  } catch (error) {
    outcome = refusal(error);
  }
  const bytes = peak() - before;
  return bytes > MOST_BYTES ? { problem: `took ${Math.round(bytes / 1e6)} MB for ${input.length} bytes` } : outcome;
}

function refusal(error: unknown): Outcome {
  if (error instanceof CommanderError) return "refused"; // the command line's own error, which it prints
  if (!(error instanceof BigridError))
    return { problem: `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  if (error.message.length > LONGEST_WORDS)
    return { problem: `threw an error of ${error.message.length} characters: ${error.message.slice(0, 100)}` };
  return "refused";
}

/** The input drawn from a seed. */
export const inputOf = (seeds: readonly Uint8Array[], seed: number): Uint8Array => mutated(seeds, new Draws(seed));

export interface Limits {
  readonly seed: number;
  /** Number of inputs per parser. */
  readonly count: number;
  readonly goesOn: () => boolean;
  /** Called before each input is parsed, so that one on which a parser hangs can be named. */
  readonly onInput?: (parser: string, seed: number) => void;
}

export interface Fuzzed {
  readonly findings: readonly Finding[];
  /** Number of inputs by parser, and of valid ones among them. */
  readonly counts: ReadonlyMap<string, { readonly inputs: number; readonly valid: number }>;
}

/**
 * Gives each parser an input in turn, then the next. Input i is drawn from the seed `seed + i`. A parser that failed is
 * skipped from then on.
 * @param report called with each finding, minimised, at once
 */
export async function fuzzParsers(
  parsers: readonly Parser[],
  { seed, count, goesOn, onInput }: Limits,
  report: (finding: Finding) => void,
): Promise<Fuzzed> {
  const findings: Finding[] = [];
  const counts = new Map(parsers.map(({ name }) => [name, { inputs: 0, valid: 0 }]));
  const seedsOf = new Map(parsers.map(({ name }) => [name, [...corpusOf(name).values()]]));
  let running = parsers;
  for (let i = 0; i < count && running.length > 0; i++) {
    for (const parser of running) {
      if (!goesOn()) return { findings, counts };
      onInput?.(parser.name, seed + i);
      const input = inputOf(seedsOf.get(parser.name)!, seed + i);
      const outcome = await outcomeOf(parser, input);
      const tally = counts.get(parser.name)!;
      tally.inputs++;
      if (outcome === "valid") tally.valid++;
      if (typeof outcome === "string") continue;
      const finding = {
        parser: parser.name,
        problem: outcome.problem,
        input: await smallest(parser, input),
        seed: seed + i,
      };
      findings.push(finding);
      running = running.filter((other) => other !== parser);
      report(finding);
    }
  }
  return { findings, counts };
}

/** Removes parts of decreasing size as long as the problem persists. */
async function smallest(parser: Parser, input: Uint8Array): Promise<Uint8Array> {
  let bytes = input;
  for (let length = bytes.length >> 1; length >= 1; length >>= 1) {
    for (let start = 0; start + length <= bytes.length;) {
      const without = spliced(bytes, start, length, new Uint8Array());
      if (typeof (await outcomeOf(parser, without)) === "string") start += length;
      else bytes = without;
    }
  }
  return bytes;
}

/** A finding, with the command that reproduces it and the input for the corpus. */
export function linesOf({ parser, problem, input, seed }: Finding): string {
  const again = `npm run fuzz:parsers -- --parser ${parser} --seed ${seed} --count 1`;
  return `${parser}: ${problem}\n  by ${input.length} bytes, base64: ${Buffer.from(input).toString("base64").slice(0, 4000)}\n  again: ${again}`;
}
