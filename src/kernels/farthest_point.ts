import module from "../../shaders/farthest_point.wgsl";
import { bytesOf, countOf, elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

const ROWS = 4; // rows that a workgroup's lanes share, as in the shader
const CHOOSING_LANES = 256; // lanes of the single workgroup that takes the farthest of all blocks
/** Workgroup size, and the most lanes that share a row: one on software adapters, where barriers cost most. */
const SOFTWARE = { workgroup: 64, mostLanes: 1 } as const;
const HARDWARE = { workgroup: 256, mostLanes: 8 } as const;

/** State of farthest-point sampling, carried from step to step. */
export interface FarthestPoints {
  /** `[M, D]`, f32 or f16 */
  readonly rows: Tensor;
  /** `[K]`, u32: indices of the rows chosen; the first is set before the first step. */
  readonly chosen: Tensor;
  /** `[1]`, u32: number of rows chosen; 1 before the first step. */
  readonly position: Tensor;
  /** `[M]`, f32: squared distance to the nearest chosen row; -1 for chosen rows. Undefined before the first step. */
  readonly distances: Tensor;
}

/** One step, in place: appends the farthest row to `chosen` if there is room. The caller checks shapes. */
export function farthestPointStep({ rows, chosen, position, distances }: FarthestPoints): void {
  const { device, dtype } = rows;
  const [count, width] = rows.shape as [number, number];
  const packs = width / packOf(width);
  const { workgroup, mostLanes } = device.adapter.software ? SOFTWARE : HARDWARE;
  const lanes = Math.min(mostLanes, 2 ** Math.ceil(Math.log2(packs)));
  const blocks = Math.ceil(count / (ROWS * (workgroup / lanes)));
  const params = { rows: count, packs, blocks, most: countOf(chosen.shape) };
  const candidates = empty(device, [blocks, 2], "u32");
  launch({
    module,
    entryPoint: "update",
    element: elementOf(dtype, width),
    constants: { WORKGROUP_SIZE: workgroup, LANES: lanes },
    tensors: { rows, chosen, position, distances, candidates },
    params,
    size: { workgroups: blocks },
    work: { bytes: bytesOf(rows) + 2 * bytesOf(distances) + bytesOf(candidates), operations: 3 * countOf(rows.shape) },
  });
  launch({
    module,
    entryPoint: "choose",
    element: "f32",
    constants: { WORKGROUP_SIZE: CHOOSING_LANES },
    tensors: { listed: candidates, chosen_next: chosen, position_next: position },
    params,
    size: { workgroups: 1 },
  });
  release(candidates);
}
