import { describe, expect, test } from "vitest";
import { NEAREST_FORMS, nearestRowsForward, type NearestForm } from "../../src/kernels/nearest_rows.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { nearestRows } from "../../src/ops/nearest_rows.ts";
import { sum } from "../../src/ops/reduce.ts";
import { empty, fromArray, requireGrad, toArray, type FloatDType, type Tensor } from "../../src/tensor/tensor.ts";
import { EPS_F32, excessOf, rng } from "../harness/bounds.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { nearestIndicesOperation, nearestRowsOperation } from "../operations/nearest_rows.ts";
import * as reference from "../reference/nearest_rows.ts";

describeOperation(nearestRowsOperation);
describeOperation(nearestIndicesOperation);

const matrix = (rows: readonly (readonly number[])[], dtype: FloatDType = "f32"): Tensor =>
  fromArray(device, [rows.length, rows[0]!.length], Float32Array.from(rows.flat()), dtype);

async function nearest(
  queries: readonly (readonly number[])[],
  rows: readonly (readonly number[])[],
  k: number,
  form?: NearestForm,
) {
  poison();
  using _scope = device.scope({ awaits: true });
  const { squaredDistances, indices } = nearestRowsForward(matrix(queries), matrix(rows), k, form);
  const [distances, places] = await Promise.all([toArray(squaredDistances), toArray(indices)]);
  return { distances: Array.from(distances), indices: Array.from(places) };
}

describe.each(NEAREST_FORMS)("nearestRows, %s", (form) => {
  test("puts equal distances in order of index, over tiles and slices", async () => {
    const rows = Array.from({ length: 700 }, (_, i) => [i % 2 === 0 ? 1 : -1, i < 300 ? 2 : 0]);
    const { distances, indices } = await nearest([[0, 0]], rows, 5, form);
    expect(distances).toEqual([1, 1, 1, 1, 1]);
    expect(indices).toEqual([300, 301, 302, 303, 304]);
  });

  test("puts distances that are not numbers last, behind infinite ones, and lists no row twice", async () => {
    const rows = [
      [NaN, 0],
      [3e38, 0],
      [1, 0],
      [NaN, NaN],
      [-3e38, 0],
      [2, 0],
    ];
    const { distances, indices } = await nearest([[0, 0]], rows, 6, form);
    expect(indices).toEqual([2, 5, 1, 4, 0, 3]);
    expect(distances).toEqual([1, 4, Infinity, Infinity, NaN, NaN]);
  });

  test("lists the first rows for a query that is not a number, and leaves the others alone", async () => {
    const { distances, indices } = await nearest([[0], [NaN], [7]], [[5], [6], [7]], 2, form);
    expect(indices).toEqual([0, 1, 0, 1, 2, 1]);
    expect(distances).toEqual([25, 36, NaN, NaN, 0, 1]);
  });

  test("cancels nothing: rows far from the origin and near each other are as exact as any", async () => {
    const random = rng(3);
    const p = { queries: 9, rows: 200, channels: 12, k: 4 };
    const values = (count: number) => Float32Array.from({ length: count * p.channels }, () => 1000 + random() / 8);
    const [queries, rows] = [values(p.queries), values(p.rows)];
    rows.set(queries.subarray(0, p.channels), 77 * p.channels); // equal to the first query
    using _scope = device.scope({ awaits: true });
    const found = nearestRowsForward(
      fromArray(device, [p.queries, p.channels], queries),
      fromArray(device, [p.rows, p.channels], rows),
      p.k,
      form,
    );
    const [distances, indices] = await Promise.all([toArray(found.squaredDistances), toArray(found.indices)]);
    const want = reference.squaredDistances(p, queries, rows);
    expect(excessOf(distances, want, want, (p.channels + 3) * EPS_F32, "f32")).toBeNull();
    expect([distances[0], indices[0]]).toEqual([0, 77]);
  });

  test("gives the same bits when it is captured and run again", async () => {
    using _scope = device.scope({ awaits: true });
    const random = rng(5);
    const values = (...shape: number[]) =>
      fromArray(device, shape, Float32Array.from({ length: shape[0]! * shape[1]! }, random));
    const [queries, rows] = [values(70, 20), values(600, 20)];
    const eager = nearestRowsForward(queries, rows, 3, form);
    const { program, result } = device.capture(() => nearestRowsForward(queries, rows, 3, form));
    for (let i = 0; i < 3; i++) {
      poison();
      program.run();
      expect(await toArray(result.squaredDistances)).toEqual(await toArray(eager.squaredDistances));
      expect(await toArray(result.indices)).toEqual(await toArray(eager.indices));
    }
    program.release();
  });
});

describe("nearestRows", () => {
  test("has the leading axes of the queries", () => {
    using _scope = device.scope();
    const { squaredDistances, indices } = nearestRows(empty(device, [2, 3, 4, 8]), empty(device, [5, 8]), 3);
    expect([squaredDistances.shape, squaredDistances.dtype]).toEqual([[2, 3, 4, 3], "f32"]);
    expect([indices.shape, indices.dtype]).toEqual([[2, 3, 4, 3], "u32"]);
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))(
    "has distances in f32 of rows in f16, beyond what f16 holds",
    async () => {
      using _scope = device.scope({ awaits: true });
      const { squaredDistances } = nearestRows(matrix([[300, 0]], "f16"), matrix([[-300, 1]], "f16"), 1);
      expect(await toArray(squaredDistances)).toEqual(Float32Array.of(360_001));
    },
  );

  test("stores candidates, not the distances of all pairs", () => {
    using _scope = device.scope();
    const [queries, rows] = [empty(device, [1024, 4]), empty(device, [4096, 4])];
    const { program } = device.capture(() => nearestRows(queries, rows, 1));
    expect(program.memory.pool.use().peakBytes).toBeLessThan((4 * 1024 * 4096) / 16);
    program.release();
  });

  test("has nothing to do for no queries", async () => {
    using _scope = device.scope({ awaits: true });
    const before = device.counters().dispatches;
    const { squaredDistances, indices } = nearestRows(empty(device, [0, 3]), matrix([[1, 2, 3]]), 1);
    expect(device.counters().dispatches).toBe(before);
    expect([squaredDistances.shape, indices.shape]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(await toArray(squaredDistances)).toHaveLength(0);
  });

  test("refuses the gradient of a distance, and gives indices inside of one", () => {
    using _scope = device.scope();
    const [queries, rows] = [
      requireGrad(matrix([[1, 2]])),
      matrix([
        [0, 0],
        [1, 1],
      ]),
    ];
    expect(() => valueAndGradients(() => [sum(nearestRows(queries, rows, 1).squaredDistances)], [queries])).toThrow(
      "nearestRows: has no gradient; gather the rows by their indices and differentiate the distances to those",
    );
    const { grads } = valueAndGradients(() => {
      nearestRows(queries, rows, 1);
      return [sum(queries)];
    }, [queries]);
    expect(grads[0]!.shape).toEqual([1, 2]);
  });

  test("rejects shapes that do not fit, and a k that it cannot list", () => {
    using _scope = device.scope();
    const [queries, rows] = [empty(device, [2, 3]), empty(device, [20, 3])];
    const of =
      (a: Tensor, b: Tensor, k = 1) =>
      () =>
        nearestRows(a, b, k);
    expect(of(queries, empty(device, [20, 4]))).toThrow(
      "nearestRows: expected rows [M,3], got queries [2,3] and rows [20,4]",
    );
    expect(of(queries, empty(device, [3]))).toThrow("nearestRows: expected rows [M,3], got queries [2,3] and rows [3]");
    expect(of(queries, empty(device, [0, 3]))).toThrow(
      "nearestRows: expected at least one row, got queries [2,3] and rows [0,3]",
    );
    expect(of(empty(device, []), rows)).toThrow(
      "nearestRows: expected queries with a last axis of at least one element, got queries [] and rows [20,3]",
    );
    expect(of(empty(device, [2, 3], "u32"), rows)).toThrow(
      "nearestRows: expected queries of dtype f32 or f16, it is u32",
    );
    expect(of(queries, rows, 17)).toThrow("nearestRows: expected k, a whole number from 1 to 16, got 17");
    expect(of(queries, rows, 1.5)).toThrow("nearestRows: expected k, a whole number from 1 to 16, got 1.5");
    expect(of(queries, empty(device, [4, 3]), 5)).toThrow("nearestRows: expected k, a whole number from 1 to 4, got 5");
  });
});
