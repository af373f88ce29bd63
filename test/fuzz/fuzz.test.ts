import { describe, expect, test } from "vitest";
import * as core from "../../src/core.ts";
import * as grad from "../../src/methods/grad/index.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { Draws } from "../harness/draws.ts";
import { MUTANTS, type Mutant } from "../harness/mutants.ts";
import type { AnyOperation } from "../harness/operation.ts";
import { chosen, faultOfCase, fuzz, lineOf, shrunk, type Finding } from "./fuzz.ts";
import { operations } from "./operations.ts";
import { shrink, smaller } from "./shrink.ts";

const CASES = 2; // per operation: the fuzzer itself runs longer
const SEED = 20;
const always = () => true;
const named = (name: string): AnyOperation => operations.find((operation) => operation.name === name)!;

/** Functions that have no gradient, or that take a device rather than a tensor; they have tests of their own. */
const WITHOUT_GRADIENT = [
  "anomalyMap",
  "drawPairs",
  "exclusiveScan",
  "foldBatchNorm",
  "histogram",
  "imagesToTensor",
  "normal",
  "randomWords",
  "uniform",
  "gradConfig",
  "valueAndGradients",
  "empty",
  "fromArray",
  "zeros",
  "release",
  "requireGrad",
  "toArray",
  "maskUnion",
  "decodeSafetensors",
  "encodeSafetensors",
  "toFloat32",
  "cosineLearningRate",
  "stepLearningRate",
  "tune",
  "placementOf",
  "scalar",
  "record",
  "launch",
  "defineKernel",
  "measureRoofs",
  "millisecondsOf",
  "bytesOf",
  "countOf",
  "featureBlockPaste", // adds the numbers that test/ops/random.test.ts checks: its gradients are those of add
];

describe("operations", () => {
  test("have names of their own, and problems", () => {
    expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
    for (const { name, problems } of operations) expect(problems.length, name).toBeGreaterThan(0);
  });

  test("are there for every public function that has gradients", () => {
    const isOperation = ([name, value]: [string, unknown]) =>
      typeof value === "function" && /^[a-z]/.test(name) && !WITHOUT_GRADIENT.includes(name);
    const covers = (op: string) => operations.some(({ name }) => name === op || name.startsWith(`${op} `));
    // An activation's operations have the name of the function.
    const missing = Object.entries({ ...core, ...grad })
      .filter(isOperation)
      .map(([name]) => (name === "activation" ? "relu" : name))
      .filter((name) => !covers(name));
    expect(missing).toEqual([]);
  });

  test.each(operations.map((operation) => [operation.name, operation] as const))(
    "%s passes a few cases",
    async (_name, operation) => {
      const { findings, counts } = await fuzz([operation], { seed: SEED, cases: CASES, goesOn: always }, () => {});
      expect(findings.map(lineOf)).toEqual([]);
      expect(counts.get(operation.name)).toBe(CASES);
    },
  );

  test("draw the same problem from the same seed, in JSON", () => {
    for (const { name, draw } of operations) {
      const problem: unknown = draw(new Draws(SEED));
      expect(draw(new Draws(SEED)), name).toEqual(problem);
      expect(JSON.parse(JSON.stringify(problem)), name).toEqual(problem);
    }
    const several = Array.from({ length: 20 }, (_, i) => JSON.stringify(named("conv2d").draw(new Draws(i))));
    expect(new Set(several).size).toBe(20);
  });
});

describe("an operation is chosen", () => {
  test("by its name, or all are", () => {
    expect(chosen(operations, "conv2d")).toEqual([named("conv2d")]);
    expect(chosen(operations, null)).toHaveLength(operations.length);
  });
  test("or refused with those there are", () =>
    expect(() => chosen(operations, "conv3d")).toThrow(/^no operation conv3d; there are .*conv2d/));
});

describe("smaller problems", () => {
  test("leave out a part, turn off a flag or lower a number", () => {
    expect([...smaller({ n: 5, flags: [true] })]).toEqual([
      { flags: [true] },
      { n: 5 },
      { n: 0, flags: [true] },
      { n: 1, flags: [true] },
      { n: 2, flags: [true] },
      { n: 4, flags: [true] },
      { n: 5, flags: [] },
      { n: 5, flags: [false] },
    ]);
    expect([...smaller(2.5)]).toEqual([1, 2]);
    expect([...smaller(-3)]).toEqual([0, -1, -2]);
    expect([...smaller(0)]).toEqual([]);
  });

  test("are sought until none of them fails", async () => {
    const fails = async (p: { a: number; b?: number; list: number[] }) => p.a >= 7 && p.list?.length >= 2;
    expect(await shrink({ a: 1000, b: 3, list: [5, 6, 7, 8] }, fails)).toEqual({ a: 7, list: [0, 0] });
  });

  test("are sought no longer than allowed", async () => {
    expect(await shrink({ a: 1000 }, async ({ a }) => a >= 7, 0)).toEqual({ a: 1000 });
  });
});

describe("a planted failure", () => {
  // Wrong in one element if there are two images or more and the stride along W is 2.
  const conv2d = named("conv2d");
  const broken: AnyOperation = {
    ...conv2d,
    forward: (p: { batch: number; stride: number[] }, inputs) => {
      const output = Float64Array.from(conv2d.forward(p, inputs));
      if (p.batch >= 2 && p.stride[1] === 2) output[0]! += 100;
      return output;
    },
  };

  const firstFinding = async (): Promise<Finding> => {
    for (let seed = 1; ; seed++) {
      const finding = await faultOfCase(broken, seed);
      if (finding) return finding;
    }
  };

  test("is found, and shrunk to what it takes", async () => {
    const { check, words, problem } = await shrunk(await firstFinding());
    expect(check).toBe("exact");
    expect(words).toMatch(/^output\[0\]: got .*, expected exactly /);
    expect(problem).toEqual({
      batch: 2,
      height: 1,
      width: 1,
      channels: 1,
      filters: 1,
      groups: 1,
      window: [1, 1],
      stride: [1, 2],
      dilation: [1, 1],
      padding: [0, 0, 0, 0],
    });
  });

  test("is told in one line, which makes it again", async () => {
    const finding = await firstFinding();
    const said: string[] = [];
    const outcome = await fuzz([broken], { seed: finding.seed, cases: 1, goesOn: always }, (each) =>
      said.push(lineOf(each)),
    );
    expect(outcome.findings).toHaveLength(1);
    expect(said[0]).toMatch(
      /^conv2d: exact: output\[0\]: .*; at \{"batch":2,.*\}; again: npm run fuzz -- --op "conv2d" --seed \d+ --cases 1$/,
    );
    expect(said[0]).toContain(`--seed ${finding.seed} `);
  });

  test("ends the operation's cases, and not those of others", async () => {
    const { findings, counts } = await fuzz(
      [broken, named("relu")],
      { seed: (await firstFinding()).seed, cases: 3, goesOn: always },
      () => {},
    );
    expect(findings).toHaveLength(1);
    expect(Object.fromEntries(counts)).toEqual({ conv2d: 1, relu: 3 });
  });

  test("may be an error, which is no refusal of a smaller problem", async () => {
    const throws: AnyOperation = {
      ...conv2d,
      run: (p: { channels: number }, inputs) => {
        const output = conv2d.run(p, inputs);
        if (p.channels >= 2) throw new Error("no more channels");
        return output;
      },
    };
    let seed = 1;
    while ((throws.draw(new Draws(seed)) as { channels: number }).channels < 3) seed++;
    const finding = await shrunk((await faultOfCase(throws, seed))!);
    expect(finding.words).toBe("threw Error: no more channels");
    expect(finding.problem).toMatchObject({ channels: 2, batch: 1, window: [1, 1] });
  });

  test("stops when time is up", async () => {
    let left = 5;
    const { counts } = await fuzz(
      [named("relu"), named("abs")],
      { seed: 1, cases: Infinity, goesOn: () => left-- > 0 },
      () => {},
    );
    expect(Object.fromEntries(counts)).toEqual({ relu: 3, abs: 2 });
  });
});

test("there are mutants of many shaders, each with a reason of its own", () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(16);
  expect(new Set(MUTANTS.map(({ shader, why }) => `${shader}: ${why}`)).size).toBe(MUTANTS.length);
  expect(new Set(MUTANTS.map(({ shader }) => shader)).size).toBeGreaterThanOrEqual(10);
});

test("what a mutant changes stands in its shader once", () => {
  const shaders = import.meta.glob<WgslModule>("../../shaders/**/*.wgsl", { eager: true, import: "default" });
  const places = ({ shader, from }: Mutant): number =>
    shaders[`../../shaders/${shader}.wgsl`]!.code.split(from).length - 1;
  expect(MUTANTS.filter((mutant) => places(mutant) !== 1).map(({ shader, why }) => `${shader}: ${why}`)).toEqual([]);
});
