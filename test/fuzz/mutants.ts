// npm run test:mutants -- [--shader NAME]
// Every mutant of test/harness/mutants.ts replaces its shader in turn, and the fuzzer must find it.
import { parseArgs } from "node:util";
import { changedShader, shaderModule, shadersOf } from "../harness/changed_shaders.ts";
import { Draws } from "../harness/draws.ts";
import { MUTANTS, type Mutant } from "../harness/mutants.ts";
import { compute, valuesOf, type AnyOperation } from "../harness/operation.ts";
import { faultOfCase, type Finding } from "./fuzz.ts";
import { operations } from "./operations.ts";

const SEED = 1;
const UNCHANGED_CASES = 3; // per operation, for unmodified shaders, in which nothing must be found
const MOST_CASES = 60; // per operation, to find a mutant

/** Runs `work` with a changed shader. */
async function withMutant<T>({ shader, from, to, why }: Mutant, work: () => Promise<T>): Promise<T> {
  const { code } = shaderModule(shader);
  const places = code.split(from).length - 1;
  if (places !== 1)
    throw new Error(`${shader}, ${why}: expected its text once in the shader, it is there ${places} times`);
  using _changed = changedShader(
    shader,
    code.replace(from, () => to),
    why,
  );
  return await work();
}

/** Names of the shaders that an operation runs on its problems. */
async function traceShaders(operation: AnyOperation): Promise<ReadonlySet<string>> {
  const drawn = Array.from({ length: 4 }, (_, i) => operation.draw(new Draws(SEED + i)) as unknown);
  const used = await shadersOf(async () => {
    for (const problem of [...operation.problems.map(([, p]) => p as unknown), ...drawn]) {
      const { inputs, gradOutput } = valuesOf(operation, problem, SEED, false, "f32");
      await compute(operation, problem, inputs, gradOutput, "f32");
    }
  });
  return operation.half === null ? used : new Set([...used, "cast"]); // which casts f32 workspaces
}

/** The first finding of the fuzzer in up to `cases` cases of each operation, with its case. */
async function firstFinding(
  candidates: readonly AnyOperation[],
  cases: number,
): Promise<{ finding: Finding; at: number } | null> {
  for (let i = 0; i < cases; i++) {
    for (const operation of candidates) {
      const finding = await faultOfCase(operation, SEED + i);
      if (finding) return { finding, at: i + 1 };
    }
  }
  return null;
}

/** Tries all mutants, prints, and returns the exit code: 0 if all were found and nothing else was. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { shader: { type: "string" } } });
  const mutants = MUTANTS.filter(({ shader }) => values.shader === undefined || shader === values.shader);
  const unchanged = await firstFinding(operations, UNCHANGED_CASES);
  if (unchanged) {
    console.log(`shaders as they are: ${unchanged.finding.operation.name} fails: ${unchanged.finding.words}`);
    return 1;
  }
  console.log(
    `shaders as they are: nothing found in ${UNCHANGED_CASES} cases of each of ${operations.length} operations`,
  );
  const users = new Map<AnyOperation, ReadonlySet<string>>();
  for (const operation of operations) users.set(operation, await traceShaders(operation));
  let survivors = 0;
  for (const mutant of mutants) {
    const { shader, why } = mutant;
    const candidates = operations.filter(
      (operation) => shader.startsWith("prelude/") || users.get(operation)!.has(shader),
    );
    const found = await withMutant(mutant, () => firstFinding(candidates, MOST_CASES));
    if (found) {
      console.log(
        `found     ${shader}: ${why}: by ${found.finding.operation.name}, case ${found.at}, ${found.finding.check}: ${found.finding.words.split("\n")[0]}`,
      );
    } else {
      survivors++;
      console.log(
        `SURVIVED  ${shader}: ${why}: ${MOST_CASES} cases of ${candidates.map(({ name }) => name).join(", ") || "no operation"}`,
      );
    }
  }
  console.log(
    `${mutants.length - survivors} of ${mutants.length} mutants found, in ${new Set(mutants.map(({ shader }) => shader)).size} shaders`,
  );
  return survivors > 0 ? 1 : 0;
}
