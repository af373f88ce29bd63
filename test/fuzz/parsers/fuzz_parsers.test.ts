import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { corpusOf, fuzzParsers, inputOf, linesOf, outcomeOf } from "./fuzz_parsers.ts";
import { parsers, parsersNamed, type Parser } from "./parsers.ts";

const COUNT = 300; // per parser: the fuzzer itself runs longer
const SLOW_COUNT = 40;
const SEED = 40;
const always = () => true;
const named = (name: string): Parser => parsersNamed(name)[0]!;

test("every parser has a corpus, and every corpus a parser", () => {
  expect(readdirSync("test/fuzz/corpus").sort()).toEqual(parsers.map(({ name }) => name).sort());
});

describe.each(parsers.map((parser) => [parser.name, parser] as const))("%s", (name, parser) => {
  test("reads its corpus, or refuses what was found once", async () => {
    for (const [file, input] of corpusOf(name))
      expect(await outcomeOf(parser, input), file).toBe(file.startsWith("found") ? "refused" : "valid");
  });

  test("copes with a few inputs", async () => {
    const count = parser.slow ? SLOW_COUNT : COUNT;
    const { findings, counts } = await fuzzParsers([parser], { seed: SEED, count, goesOn: always }, () => undefined);
    expect(findings.map(linesOf)).toEqual([]);
    expect(counts.get(name)!.inputs).toBe(count);
  });
});

describe("the fuzzer", () => {
  test("draws the same input from the same seed, and many different ones", () => {
    const seeds = [...corpusOf("uniad").values()];
    const drawn = Array.from({ length: 200 }, (_, i) => Buffer.from(inputOf(seeds, i)).toString("hex"));
    expect(drawn).toEqual(Array.from({ length: 200 }, (_, i) => Buffer.from(inputOf(seeds, i)).toString("hex")));
    expect(new Set(drawn).size).toBeGreaterThan(150);
  });

  test("finds a parser that throws what it must not, makes the input small, and says how to see it again", async () => {
    const planted: Parser = {
      name: "uniad",
      parse: (input) => {
        if (input.includes(0x7f)) throw new TypeError("planted");
      },
    };
    const said: string[] = [];
    const { findings } = await fuzzParsers([planted], { seed: 1, count: 5000, goesOn: always }, (finding) =>
      said.push(linesOf(finding)),
    );
    expect(findings).toHaveLength(1);
    const [{ input, problem, seed }] = findings as [(typeof findings)[number]];
    expect(problem).toContain("TypeError: planted");
    expect([...input]).toEqual([0x7f]);
    expect(said[0]).toContain(`again: npm run fuzz:parsers -- --parser uniad --seed ${seed} --count 1`);
    expect(inputOf([...corpusOf("uniad").values()], seed).includes(0x7f)).toBe(true);
  });

  test("finds a parser that takes much memory for little", async () => {
    let peak = 0;
    const hungry: Parser = { name: "csv", parse: () => (peak += 300e6) };
    expect(await outcomeOf(hungry, new Uint8Array(5), () => peak)).toEqual({ problem: "took 300 MB for 5 bytes" });
  });

  test("knows the parsers' names", () => {
    expect(named("csv").name).toBe("csv");
    expect(() => parsersNamed("xml")).toThrow(/^no parser xml; there are safetensors, model, /);
  });
});
