import { describe, expect, test } from "vitest";
import { drawPairs, type FeaturePairs } from "../../src/ops/pairs.ts";
import { fromArray, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { philox, unit } from "../reference/philox.ts";

const DRAW = { seed: 9, stream: 5, step: 3 };
const K = 150;

const read = async ({ pairs, similar }: FeaturePairs) => {
  const flat = await toArray(pairs as Tensor & { readonly dtype: "u32" });
  return {
    rows: Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const),
    similar: await toArray(similar),
  };
};

/** The definition. */
function expected(mask: Float32Array): readonly (readonly [number, number])[] {
  const kinds = [0, 1].map((kind) => Array.from(mask.keys()).filter((i) => mask[i] === kind)) as [number[], number[]];
  const whole = (word: number, count: number): number => Math.min(Math.floor(unit(word) * count), count - 1);
  return Array.from({ length: 2 * K }, (_, i) => {
    const [coin, first, second] = philox([i, DRAW.stream, DRAW.step, 0], [DRAW.seed, 0]);
    const pick = (of: readonly number[], word: number) => (of.length === 0 ? mask.length : of[whole(word, of.length)]!);
    if (i >= K) return [pick(kinds[1], first), pick(kinds[0], second)];
    const chosen = kinds[1].length > 1 && (coin % 2 === 1 || kinds[0].length < 2) ? kinds[1] : kinds[0];
    const at = pick(chosen, first);
    return [at, pick(chosen.length > 1 ? chosen.filter((other) => other !== at) : chosen, second)];
  });
}

describe("pairs are drawn as defined", () => {
  const random = rng(3);
  test.each([
    ["from a mask of many blocks of keys", Float32Array.from({ length: 700 }, () => (random() < 0.1 ? 1 : 0))],
    ["with one position marked", Float32Array.from({ length: 65 }, (_, i) => (i === 40 ? 1 : 0))],
    ["with one not marked", Float32Array.from({ length: 65 }, (_, i) => (i === 40 ? 0 : 1))],
    ["with none marked", new Float32Array(30)],
    ["with all marked", new Float32Array(30).fill(1)],
    ["from two positions", Float32Array.of(0, 1)],
  ])("%s", async (_why, mask) => {
    poison();
    const before = device.memory().allocations;
    const drawn = drawPairs(fromArray(device, [mask.length], mask), K, DRAW);
    expect(device.memory().allocations).toBe(before + 3);
    const { rows, similar } = await read(drawn);
    expect(rows).toEqual(expected(mask));
    expect(Array.from(similar)).toEqual(Array.from({ length: 2 * K }, (_, i) => (i < K ? 1 : 0)));
  });
});

test("pairs are others in another step, which a captured draw reads from its tensor", async () => {
  const mask = fromArray(
    device,
    [2, 10, 10],
    Float32Array.from({ length: 200 }, (_, i) => (i % 3 === 0 ? 1 : 0)),
  );
  const step = zeros(device, [1], "u32");
  const { program, result } = device.capture(() => drawPairs(mask, K, { ...DRAW, step }));
  const seen = new Set<string>();
  for (const now of [0, 1, 2, 3]) {
    device.write(step.allocation.buffer, Uint32Array.of(now));
    program.run();
    const got = await read(result);
    expect(got).toEqual(await read(drawPairs(mask, K, { ...DRAW, step: now })));
    seen.add(JSON.stringify(got.rows));
  }
  expect(seen.size).toBe(4);
  program.release();
});

test("pairs are refused of a mask that is not f32, in no number, or of no draw", () => {
  expect(() => drawPairs(zeros(device, [3], "u32"), 1, DRAW)).toThrow(
    "drawPairs: expected mask of dtype f32, it is u32",
  );
  expect(() => drawPairs(zeros(device, [3]), 0, DRAW)).toThrow(
    "drawPairs: expected count to be whole numbers of at least 1, got 0",
  );
  expect(() => drawPairs(zeros(device, [3]), 1, { ...DRAW, step: -1 })).toThrow(
    "drawPairs: expected seed, stream and step",
  );
});
