import { describe, expect, test } from "vitest";
import { farthestPointStep } from "../../src/kernels/farthest_point.ts";
import { farthestPoints, FarthestPointSearch } from "../../src/ops/farthest_points.ts";
import { empty, fromArray, toArray, type FloatDType, type Tensor } from "../../src/tensor/tensor.ts";
import { EPS_F32, rng } from "../harness/bounds.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { poison, withOtherAdapter } from "../harness/operation.ts";
import { farthestPointsOperation } from "../operations/farthest_points.ts";
import { rowsOf, squaredDistance } from "../reference/nearest_rows.ts";

describeOperation(farthestPointsOperation);

const column = (...values: number[]): Tensor => fromArray(device, [values.length, 1], Float32Array.from(values));

async function chosenOf(rows: Tensor, count: number, start = 0): Promise<number[]> {
  poison();
  using _scope = device.scope({ awaits: true });
  return Array.from(await toArray({ ...farthestPoints(rows, count, { start }), dtype: "u32" }));
}

/** Rows in clusters, as features are; the same for the same seed. */
function clustered(seed: number, count: number, channels: number): Float32Array {
  const random = rng(seed);
  const centres = Array.from({ length: 7 * channels }, () => 4 * random());
  return Float32Array.from(
    { length: count * channels },
    (_, i) => centres[(Math.floor(i / channels) % 7) * channels + (i % channels)]! + random(),
  );
}

/** For each chosen row, in float64: its squared distance to earlier ones, and the largest such distance of any row. */
function radii(values: Float32Array, channels: number, chosen: readonly number[]) {
  const bank = rowsOf(values, channels);
  const distances = bank.map(() => Infinity);
  return chosen.map((index) => {
    const own = distances[index]!;
    const farthest = distances.reduce((most, d) => Math.max(most, d), 0);
    bank.forEach((row, i) => (distances[i] = Math.min(distances[i]!, squaredDistance(row, bank[index]!))));
    return { own, farthest };
  });
}

describe.each([
  ["the form of this adapter", <T>(work: () => Promise<T>) => work()],
  ["that of others", withOtherAdapter],
] as const)("farthestPoints, %s", (_which, on) => {
  test.each([
    ["packed", 600, 24],
    ["ragged", 301, 7],
  ])("chooses each time a row as far away as any, within rounding, %s", async (_what, count, channels) => {
    const values = clustered(count, count, channels);
    const rows = fromArray(device, [count, channels], values);
    const chosen = await on(() => chosenOf(rows, 40, 3));
    device.release(rows.allocation);
    expect(new Set(chosen).size).toBe(40);
    const steps = radii(values, channels, chosen).slice(1);
    steps.forEach(({ own, farthest }) =>
      expect(own).toBeGreaterThanOrEqual(farthest * (1 - 2 * (channels + 3) * EPS_F32)),
    );
    // So the covering radius never grows, and here shrinks to a small part once every cluster has a row.
    steps.slice(1).forEach(({ farthest }, i) => expect(farthest).toBeLessThanOrEqual(steps[i]!.farthest));
    expect(steps.at(-1)!.farthest).toBeLessThan(steps[0]!.farthest / 4);
  });

  test("gives the same bits every time, by steps of its own, and within a program of the caller", async () => {
    using _scope = device.scope({ awaits: true });
    const rows = fromArray(device, [500, 12], clustered(1, 500, 12));
    await on(async () => {
      const first = await chosenOf(rows, 20);
      expect(await chosenOf(rows, 20)).toEqual(first);

      poison();
      const distances = empty(device, [500]);
      const chosen = fromArray(device, [20], new Uint32Array(20));
      const position = fromArray(device, [1], Uint32Array.of(1));
      for (let i = 1; i < 20; i++) farthestPointStep({ rows, chosen, position, distances });
      expect(Array.from(await toArray({ ...chosen, dtype: "u32" }))).toEqual(first);

      // Any number of times: nothing is chosen beyond the last.
      farthestPointStep({ rows, chosen, position, distances });
      expect(Array.from(await toArray({ ...chosen, dtype: "u32" }))).toEqual(first);
      expect(await toArray({ ...position, dtype: "u32" })).toEqual(Uint32Array.of(20));

      const { program, result } = device.capture(() => farthestPoints(rows, 20));
      for (let i = 0; i < 2; i++) {
        program.run();
        expect(Array.from(await toArray({ ...result, dtype: "u32" }))).toEqual(first);
      }
      program.release();
    });
  });

  test("chooses no row twice: of equal ones the first, when nothing else is left", async () => {
    using _scope = device.scope({ awaits: true });
    expect(await on(() => chosenOf(column(5, 5, 5, 5), 4, 2))).toEqual([2, 0, 1, 3]);
    expect(await on(() => chosenOf(column(0, 0, 9, 9, 4), 5))).toEqual([0, 2, 4, 1, 3]);
  });

  test("chooses rows that hold NaN last, and infinitely far ones first", async () => {
    using _scope = device.scope({ awaits: true });
    expect(await on(() => chosenOf(column(0, NaN, 1, NaN, 3e38, 2), 6))).toEqual([0, 4, 5, 2, 1, 3]);
  });
});

describe("a search for farthest points", () => {
  const indicesOf = async (tensor: Tensor): Promise<number[]> => Array.from(await toArray({ ...tensor, dtype: "u32" }));

  test("goes on from its state to the same bits, wherever it was left, and gives all storage back", async () => {
    using _scope = device.scope({ awaits: true });
    const rows = fromArray(device, [300, 12], clustered(4, 300, 12));
    const whole = await chosenOf(rows, 30, 7);
    const before = device.memory();
    for (const left of [1, 2, 17, 30]) {
      const first = new FarthestPointSearch(rows, 30, { start: 7 });
      first.take(left - 1);
      expect([first.taken, await indicesOf(first.chosen)]).toEqual([left, whole.map((row, i) => (i < left ? row : 7))]);
      const state = await first.state();
      first.release();
      poison();
      const second = new FarthestPointSearch(rows, 30, state);
      second.take(5);
      expect(second.taken).toBe(Math.min(left + 5, 30));
      second.take(Infinity);
      expect(await indicesOf(second.chosen)).toEqual(whole);
      second.release();
    }
    expect(device.memory().allocations).toBe(before.allocations);
  });

  test("refuses the state of other rows", () => {
    using _scope = device.scope();
    const rows = empty(device, [5, 3]);
    const from = (chosen: number[], distances: number) => () =>
      new FarthestPointSearch(rows, 3, { chosen, distances: new Float32Array(distances) });
    const expected = "farthestPoints: expected the state of a search for 3 of 5 rows, got";
    expect(from([0, 1], 4)).toThrow(`${expected} 2 rows and 4 distances`);
    expect(from([], 5)).toThrow(`${expected} 0 rows and 5 distances`);
    expect(from([0, 1, 2, 3], 5)).toThrow(`${expected} 4 rows and 5 distances`);
    expect(from([0, 5], 5)).toThrow(`${expected} 2 rows and 5 distances`);
  });
});

describe("farthestPoints", () => {
  test.skipIf(!device.gpu.features.has("shader-f16"))(
    "takes rows in f16, whose distances may be beyond what f16 holds",
    async () => {
      using _scope = device.scope({ awaits: true });
      const rows = (dtype: FloatDType) =>
        fromArray(device, [4, 4], Float32Array.of(0, 0, 0, 0, 300, 0, 0, 0, -400, 0, 0, 0, 0, 500, 0, 0), dtype);
      expect(await chosenOf(rows("f16"), 4)).toEqual([0, 3, 2, 1]);
    },
  );

  test("reads nothing back, and keeps nothing but what it returns", async () => {
    using _scope = device.scope({ awaits: true });
    const rows = fromArray(device, [300, 8], clustered(2, 300, 8));
    const before = { ...device.memory(), ...device.counters() };
    const chosen = farthestPoints(rows, 200);
    expect(device.counters().bytesRead).toBe(before.bytesRead);
    expect(device.counters().dispatches - before.dispatches).toBe(2 * 199);
    expect(device.memory().allocations - before.allocations).toBe(1);
    expect(new Set(await toArray(chosen)).size).toBe(200);
  });

  test("rejects what it cannot choose from", () => {
    using _scope = device.scope({ awaits: true });
    const rows = empty(device, [5, 3]);
    expect(() => farthestPoints(rows, 6)).toThrow(
      "farthestPoints: expected count, a whole number from 1 to the 5 rows, got 6",
    );
    expect(() => farthestPoints(rows, 0)).toThrow(
      "farthestPoints: expected count, a whole number from 1 to the 5 rows, got 0",
    );
    expect(() => farthestPoints(rows, 2.5)).toThrow(
      "farthestPoints: expected count, a whole number from 1 to the 5 rows, got 2.5",
    );
    expect(() => farthestPoints(rows, 2, { start: 5 })).toThrow(
      "farthestPoints: expected start, a row from 0 to 4, got 5",
    );
    expect(() => farthestPoints(rows, 2, { first: 1 } as object)).toThrow(
      "farthestPoints: unknown option first; it takes start",
    );
    expect(() => farthestPoints(empty(device, [5]), 1)).toThrow(
      "farthestPoints: expected rows [M,D] of at least one element each, got rows [5]",
    );
    expect(() => farthestPoints(empty(device, [5, 0]), 1)).toThrow(
      "farthestPoints: expected rows [M,D] of at least one element each, got rows [5,0]",
    );
    expect(() => farthestPoints(empty(device, [5, 3], "u32"), 1)).toThrow(
      "farthestPoints: expected rows of dtype f32 or f16, it is u32",
    );
  });
});
