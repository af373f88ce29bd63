import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeDetector } from "../../../src/detection/model_file.ts";
import { device } from "../../harness/device.ts";
import { bitsOf, CASES, inspectionBits, type Bits } from "../../fixtures/grad_bits.ts";

const textOf = (name: string): string => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), "utf8");
const recorded = JSON.parse(textOf("grad_bits.json")) as {
  readonly adapter: string;
  readonly cases: Readonly<Record<string, Bits>>;
};
const isSameAdapter = recorded.adapter === device.adapter.description;

/** Numbers of hexadecimal bits. */
const numbers = (hex: readonly string[]): readonly number[] =>
  hex.map((bits) => new Float32Array(Uint32Array.of(parseInt(bits, 16)).buffer)[0]!);

/**
 * Expects the same bits where they were recorded on this very adapter, and the same numbers within a percent on others.
 */
function expectBits(got: readonly string[], expected: readonly string[]): void {
  if (isSameAdapter) return expect(got).toEqual(expected);
  expect(got).toHaveLength(expected.length);
  const values = numbers(got);
  numbers(expected).forEach((value, i) =>
    expect(Math.abs(values[i]! - value)).toBeLessThanOrEqual(0.01 * Math.abs(value)),
  );
}

describe("a training from a seed comes to recorded bits", () => {
  test("every recorded case is there", () => expect(Object.keys(recorded.cases)).toEqual(Object.keys(CASES)));

  test.each(Object.keys(CASES))("%s", async (name) => {
    const { bits } = await bitsOf(name);
    const expected = recorded.cases[name]!;
    expect(Object.keys(bits.tensors).sort()).toEqual(Object.keys(expected.tensors).sort());
    if (isSameAdapter) expect(bits).toEqual(expected);
    else expectBits(bits.losses.slice(0, 1), expected.losses.slice(0, 1)); // later ones depend on each rounding before
  });
});

test("a model file of version 3 scores what it scored when it was written", async () => {
  const file = readFileSync(new URL("../../fixtures/model_version_3.safetensors", import.meta.url));
  const expected = JSON.parse(textOf("model_version_3.json")) as Pick<Bits, "scores" | "maps">;
  const detector = await decodeDetector(device, file, "model_version_3.safetensors");
  const got = await inspectionBits(detector);
  detector.release();
  expectBits(got.scores, expected.scores);
  if (isSameAdapter) expect(got.maps).toEqual(expected.maps);
});
