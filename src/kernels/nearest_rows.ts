import module from "../../shaders/nearest_rows.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, release, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch } from "./launch.ts";
import { slicesOf } from "./products/product.ts";

const LISTS = [1, 4, 16]; // sizes of the candidate list that an invocation holds in registers
const TILE = 64; // queries, and rows, of a tile
const ENOUGH_TILES = 256; // tiles that occupy a GPU: with fewer, the rows are split into slices
const LANES = { uniform: 64, tiled: (TILE / 8) * (TILE / 4) } as const; // lanes of a workgroup
const QUERIES = { uniform: 4 * LANES.uniform, tiled: TILE } as const; // queries of a workgroup

/** Form of the distance computation: "uniform" for software adapters, "tiled" (workgroup memory) for GPUs. */
export type NearestForm = keyof typeof LANES;

export const NEAREST_FORMS: readonly NearestForm[] = ["uniform", "tiled"];

/** The nearest rows of each query. */
export interface NearestRows {
  /** `[..., k]`, f32, ascending. */
  readonly squaredDistances: Tensor;
  /** `[..., k]`, u32. */
  readonly indices: Tensor;
}

/**
 * The k rows nearest to each query: `[..., C]`, `[M, C]` -> `[..., k]`.
 * @param form default: chosen by the adapter
 */
export function nearestRowsForward(queries: Tensor, rows: Tensor, k: number, form?: NearestForm): NearestRows {
  const { device } = queries;
  const dtype = floatDType("nearestRows", { queries, rows });
  const channels = queries.shape.at(-1);
  const refuse = (rule: string): never => shapeError("nearestRows", rule, { queries, rows });
  if (!channels) return refuse("expected queries with a last axis of at least one element");
  if (rows.shape.length !== 2 || rows.shape[1] !== channels) refuse(`expected rows [M,${channels}]`);
  const rowCount = rows.shape[0]!;
  if (rowCount === 0) refuse("expected at least one row");
  const most = Math.min(LISTS.at(-1)!, rowCount);
  if (!(Number.isInteger(k) && k >= 1 && k <= most)) {
    throw new OptionError(`nearestRows: expected k, a whole number from 1 to ${most}, got ${k}`);
  }

  const leading = queries.shape.slice(0, -1);
  const queryCount = countOf(leading);
  const extents = { batch: 1, m: queryCount, n: channels, k: rowCount };
  const { slices, depth } = slicesOf(extents, Math.ceil(queryCount / TILE), ENOUGH_TILES, TILE);
  const params = { query_count: queryCount, row_count: rowCount, channels, k, slice_rows: depth, slices };
  const listed = LISTS.find((length) => length >= k)!;
  const chosen = form ?? (device.adapter.software ? "uniform" : "tiled");
  const sizeOf = (count: number) => ({ workgroups: Math.ceil(count / QUERIES[chosen]) * slices });

  const candidates = empty(device, [queryCount, slices, k, 2], "u32");
  launch({
    module,
    entryPoint: chosen === "tiled" ? "forward" : "forward_uniform_rows",
    element: elementOf(dtype, channels),
    constants: {
      LISTED: listed,
      WORKGROUP_SIZE: LANES[chosen],
      ...(chosen === "tiled" && { TILE_QUERIES: TILE, TILE_ROWS: TILE }),
    },
    tensors: { queries, rows, candidates },
    params,
    size: sizeOf(queryCount),
    parts: { param: "query_count", tensors: ["queries", "candidates"], size: sizeOf },
    work: { operations: 3 * queryCount * rowCount * channels },
  });
  const squaredDistances = empty(device, [...leading, k]);
  const indices = empty(device, [...leading, k], "u32");
  launch({
    module,
    entryPoint: "merge",
    element: "f32",
    constants: { LISTED: listed },
    tensors: { listed: candidates, squared_distances: squaredDistances, indices },
    params,
    size: { invocations: queryCount },
    parts: { param: "query_count", tensors: ["listed", "squared_distances", "indices"] },
  });
  release(candidates);
  return { squaredDistances, indices };
}
