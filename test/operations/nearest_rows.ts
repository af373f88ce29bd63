import { nearestRows } from "../../src/ops/nearest_rows.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/nearest_rows.ts";

type Problem = reference.Nearest;

const problems: readonly (readonly [string, Problem])[] = [
  ["one of one", { queries: 1, rows: 1, channels: 1, k: 1 }],
  ["the nearest, of packed rows", { queries: 5, rows: 40, channels: 8, k: 1 }],
  ["several, of rows that do not pack", { queries: 7, rows: 70, channels: 5, k: 9 }],
  ["all of a few", { queries: 3, rows: 16, channels: 4, k: 16 }],
  ["more queries than a tile has", { queries: 67, rows: 66, channels: 20, k: 2 }],
  ["more queries than a workgroup of software adapters owns", { queries: 259, rows: 9, channels: 3, k: 3 }],
  ["rows in several slices, of which the last has fewer than k", { queries: 2, rows: 967, channels: 4, k: 12 }],
];

const draw = (draws: Draws): Problem => {
  const rows = draws.pick([1, 2, 3, 16, 63, 64, 65, 130, 513, 700]);
  return {
    queries: draws.pick([1, 2, 3, 5, 64, 65, 100]),
    rows,
    channels: draws.pick([1, 2, 3, 4, 5, 8, 12, 17, 20, 33]),
    k: draws.whole(1, Math.min(16, rows)),
  };
};

export const nearestRowsOperation: Operation<Problem> = {
  name: "nearestRows",
  problems,
  draw,
  shapes: ({ queries, rows, channels }) => [
    [queries, channels],
    [rows, channels],
  ],
  run: ({ k }, [queries, rows]) => nearestRows(queries!, rows!, k).squaredDistances,
  forward: (p, [queries, rows]) => reference.squaredDistances(p, queries!, rows!),
  backward: null,
  // Two roundings of a difference, one of its square, one for each addition; relative to the distance, as no term is
  // negative.
  slack: ({ channels }) => channels + 3,
  magnitudes: (p, [queries, rows]) => ({ output: reference.squaredDistances(p, queries!, rows!), grads: [] }),
  half: 0, // distances are f32
};

/** The indices of the rows, on integers, where f32 is exact, with many equal distances. */
export const nearestIndicesOperation: Operation<Problem> = {
  ...nearestRowsOperation,
  name: "nearestRows, indices",
  run: ({ k }, [queries, rows]) => nearestRows(queries!, rows!, k).indices,
  forward: (p, [queries, rows]) => reference.indices(p, queries!, rows!),
  value: (random) => Math.floor(9 * random()) - 4,
  slack: () => 0,
};
