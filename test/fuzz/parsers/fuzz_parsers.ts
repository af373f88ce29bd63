import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import { BigridError } from "../../../src/runtime/errors.ts";
import { Draws } from "../../harness/draws.ts";
import { mutated, spliced } from "./mutate.ts";
import { LONGEST_PATH, type Parser } from "./parsers.ts";

const CORPUS = "test/fuzz/corpus";
const MOST_BYTES = 128e6; // by which an input may raise the most memory that the process has had
const LONGEST_WORDS = 500 + 3 * LONGEST_PATH; // of an error, which may name three paths

/** An input that a parser did not cope with, as small as could be found. */
export interface Finding {
  readonly parser: string;
  /** What went wrong, in a few words and in the error's own. */
  readonly problem: string;
  readonly input: Uint8Array;
  /** By which it is drawn again. */
  readonly seed: number;
}

/** The seeds of a parser's inputs, by name: valid ones, and what was found once. */
export function corpusOf(parser: string): ReadonlyMap<string, Uint8Array> {
  const folder = join(CORPUS, parser);
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
}

export type Outcome = "valid" | "refused" | { readonly problem: string };

/** The most memory that this process has had, bytes. */
const peakBytes = (): number => 1024 * process.resourceUsage().maxRSS;

/**
 * Whether a parser does with an input what it may: return a value, or throw one of the project's errors, and that in
 * little memory.
 */
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
  if (error instanceof CommanderError) return "refused"; // the command line's own, which it prints
  if (!(error instanceof BigridError))
    return { problem: `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  if (error.message.length > LONGEST_WORDS)
    return { problem: `threw an error of ${error.message.length} characters: ${error.message.slice(0, 100)}` };
  return "refused";
}

/** The input of a seed. */
export const inputOf = (seeds: readonly Uint8Array[], seed: number): Uint8Array => mutated(seeds, new Draws(seed));

export interface Limits {
  readonly seed: number;
  /** Inputs for each parser. */
  readonly count: number;
  readonly goesOn: () => boolean;
  /** Hears of each input before it is parsed, so that one that never ends can be named. */
  readonly onInput?: (parser: string, seed: number) => void;
}

export interface Fuzzed {
  readonly findings: readonly Finding[];
  /** Inputs by parser, and how many of them were valid. */
  readonly counts: ReadonlyMap<string, { readonly inputs: number; readonly valid: number }>;
}

/**
 * Gives each parser an input in turn, then the next. Input i is drawn from the seed `seed + i`. A parser that failed is
 * left out from then on.
 * @param report hears of each finding, made small, as it is made
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

/** Leaves out parts, ever smaller ones, as long as something is still wrong. */
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

/** A finding, with the command that makes it again, and the input to put into the corpus. */
export function linesOf({ parser, problem, input, seed }: Finding): string {
  const again = `npm run fuzz:parsers -- --parser ${parser} --seed ${seed} --count 1`;
  return `${parser}: ${problem}\n  by ${input.length} bytes, base64: ${Buffer.from(input).toString("base64").slice(0, 4000)}\n  again: ${again}`;
}
