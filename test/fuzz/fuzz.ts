import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { countOf, zeros } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { Draws } from "../harness/draws.ts";
import {
  boundFault,
  exactnessFault,
  valuesOf,
  withFoldedWorkgroups,
  withOtherAdapter,
  type AnyOperation,
} from "../harness/operation.ts";
import { shrink } from "./shrink.ts";

/** A fault of an operation on a problem: the check that found it, and a description. */
export interface Fault {
  readonly check: string;
  readonly words: string;
}

/** A problem on which an operation fails. */
export interface Finding extends Fault {
  readonly operation: AnyOperation;
  readonly problem: unknown;
  /** Seed of the case, which determines problem and values. */
  readonly seed: number;
}

type Check = (operation: AnyOperation, problem: unknown, seed: number) => Promise<string | null>;

/**
 * The last two run at random: the first of them in half of the cases; the other, which compiles kernels of its own, in
 * fewer.
 */
const CHECKS: Readonly<Record<string, Check>> = {
  exact: exactnessFault,
  f32: (operation, problem, seed) => boundFault(operation, problem, seed, "f32"),
  f16: (operation, problem, seed) => boundFault(operation, problem, seed, "f16"),
  folded: (operation, problem, seed) => withFoldedWorkgroups(() => boundFault(operation, problem, seed, "f32")),
  other: (operation, problem, seed) => withOtherAdapter(() => boundFault(operation, problem, seed, "f32")),
};

/** The first fault of an operation's case, or null. */
export async function faultOfCase(operation: AnyOperation, seed: number): Promise<Finding | null> {
  const draws = new Draws(seed);
  const problem: unknown = operation.draw(draws);
  const drawn: Readonly<Record<string, boolean>> = {
    folded: draws.chance(),
    other: draws.chance(0.3),
    f16: operation.half !== null && device.gpu.features.has("shader-f16"),
  };
  for (const check of Object.keys(CHECKS)) {
    if (drawn[check] === false) continue;
    const words = await faultBy(check, operation, problem, seed);
    if (words !== null) return { operation, problem, seed, check, words };
  }
  return null;
}

/** The fault that a check finds; an exception is a fault too. */
async function faultBy(check: string, operation: AnyOperation, problem: unknown, seed: number): Promise<string | null> {
  try {
    return await CHECKS[check]!(operation, problem, seed);
  } catch (error) {
    return `threw ${(error as Error).name}: ${(error as Error).message}`;
  }
}

/**
 * A smaller problem that fails by the same check in the same place. Problems that the operation rejects do not count.
 */
export async function shrunk(finding: Finding): Promise<Finding> {
  const { operation, check, seed } = finding;
  const place = placeOf(finding.words);
  if (isRefusal(finding.words)) return finding;
  const faultsBy = async (problem: unknown) => {
    if (!(await isValid(operation, problem))) return null;
    const words = await faultBy(check, operation, problem, seed);
    return words !== null && placeOf(words) === place ? words : null;
  };
  const problem = await shrink(finding.problem, async (candidate) => (await faultsBy(candidate)) !== null);
  return { ...finding, problem, words: (await faultsBy(problem)) ?? finding.words };
}

/** Place of a fault, without its numbers: "output", "gradient of input 1", "threw GpuError". */
const placeOf = (words: string): string => words.split(/[[:]| \d+ bytes/)[0]!;

const isRefusal = (words: string): boolean =>
  words.startsWith(`threw ${ShapeError.name}`) || words.startsWith(`threw ${OptionError.name}`);

/**
 * True if there are elements to compute with, the operation accepts the problem, and its definition has a value. The
 * operation is asked first: on input that it rejects, a definition may not terminate.
 */
async function isValid(operation: AnyOperation, problem: unknown): Promise<boolean> {
  try {
    using _scope = device.scope();
    const shapes = operation.shapes(problem);
    if (!shapes.every((shape) => countOf(shape) > 0)) return false;
    operation.run(
      problem,
      shapes.map((shape) => zeros(device, shape)),
    );
  } catch (error) {
    if ([ShapeError, OptionError, TypeError, RangeError].some((kind) => error instanceof kind)) return false;
  }
  try {
    const { inputs, gradOutput } = valuesOf(operation, problem, 1, false, "f32");
    return [operation.forward(problem, inputs), ...(operation.backward?.(problem, inputs, gradOutput) ?? [])].every(
      isFinite,
    );
  } catch {
    return false; // the problem lacks a part that the definition needs
  }
}

const isFinite = (values: ArrayLike<number>): boolean => Array.from(values).every(Number.isFinite);

/** Limits of a run, which is endless without either. */
export interface Limits {
  readonly seed: number;
  /** Number of cases for each operation. */
  readonly cases: number;
  /** True if there is time for another case. */
  readonly goesOn: () => boolean;
}

export interface Outcome {
  readonly findings: readonly Finding[];
  /** Number of cases by operation. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * Draws a case for each operation in turn, then the next for each. Case i has the seed `seed + i`. An operation that
 * failed is skipped from then on.
 * @param report called with each finding, shrunk, at once
 */
export async function fuzz(
  operations: readonly AnyOperation[],
  { seed, cases, goesOn }: Limits,
  report: (finding: Finding) => void,
): Promise<Outcome> {
  const findings: Finding[] = [];
  const counts = new Map(operations.map(({ name }) => [name, 0]));
  let running = operations;
  for (let i = 0; i < cases && running.length > 0; i++) {
    for (const operation of running) {
      if (!goesOn()) return { findings, counts };
      const fault = await faultOfCase(operation, seed + i);
      counts.set(operation.name, counts.get(operation.name)! + 1);
      if (!fault) continue;
      const finding = await shrunk(fault);
      findings.push(finding);
      running = running.filter((other) => other !== operation);
      report(finding);
    }
  }
  return { findings, counts };
}

/** A finding in one line, with the command that reproduces it. */
export function lineOf({ operation, check, words, problem, seed }: Finding): string {
  const firstLine = words.split("\n")[0]!;
  return `${operation.name}: ${check}: ${firstLine}; at ${JSON.stringify(problem)}; again: npm run fuzz -- --op ${JSON.stringify(operation.name)} --seed ${seed} --cases 1`;
}

/** The operations of that name; all without one. Throws if there is none. */
export function chosen(operations: readonly AnyOperation[], name: string | null): readonly AnyOperation[] {
  const found = operations.filter((operation) => name === null || operation.name === name);
  if (found.length === 0)
    throw new OptionError(
      `no operation ${name}; there are ${operations.map((operation) => operation.name).join(", ")}`,
    );
  return found;
}
