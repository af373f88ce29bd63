import tiled from "../../../shaders/tiled_product.wgsl";
import { wgslOf } from "../../runtime/kernel.ts";
import { UnsupportedError } from "../../runtime/errors.ts";
import type { WgslModule } from "../../runtime/wgsl.ts";
import type { FloatDType, Tensor } from "../../tensor/tensor.ts";
import type { ProductExtents, Tiling } from "./product.ts";
import { MATRIX_FORMS, matrixTiling } from "./subgroup.ts";

/**
 * Tile sizes of a product: outputs per workgroup, outputs per invocation, and the depth of k kept in workgroup memory
 * at a time.
 */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly laneRows: number;
  readonly laneColumns: number;
}

const tile = (rows: number, columns: number, depth: number, laneRows: number, laneColumns: number): Tile => ({
  rows,
  columns,
  depth,
  laneRows,
  laneColumns,
});

/**
 * Tiles to choose from. All fit WebGPU's default limits, 256 invocations and 16 KiB per workgroup, and have an
 * invocation at least for each block of 4 x 4 that they load.
 */
export const TILES: Readonly<Record<string, Tile>> = {
  "tiled 64x64x16 of 8x4": tile(64, 64, 16, 8, 4),
  "tiled 128x64x16 of 8x4": tile(128, 64, 16, 8, 4),
  "tiled 128x64x8 of 8x8": tile(128, 64, 8, 8, 8),
  "tiled 128x128x8 of 8x8": tile(128, 128, 8, 8, 8),
};

const [TILE, LARGE] = Object.keys(TILES) as [string, string];
const ENOUGH_TILES = 1024; // tiles that occupy a GPU: with fewer, the sum is split into slices

/**
 * The tiles of a form on a device, for operands of a dtype; null for a form without tiles.
 * @param untiled names of forms without tiles
 * @throws UnsupportedError for a form that does not exist, or not on this device
 */
export function tilingOf(form: string, untiled: readonly string[], { device, dtype }: Operand): Tiling | null {
  if (untiled.includes(form)) return null;
  const tile = TILES[form];
  if (!tile) {
    const tiling = matrixTiling(device, dtype as FloatDType, form);
    if (tiling) return tiling;
    const forms = [...untiled, ...Object.keys(TILES)].join(", ");
    throw new UnsupportedError(
      `no form ${form} for ${dtype} on ${device.adapter.description}; all devices have ${forms}`,
    );
  }
  const { rows, columns, depth, laneRows, laneColumns } = tile;
  return {
    module: tiled,
    entryPoint: "forward",
    rows,
    columns,
    depth,
    enough: ENOUGH_TILES,
    constants: {
      LANE_ROWS: laneRows,
      LANE_COLUMNS: laneColumns,
      WORKGROUP_SIZE: (rows / laneRows) * (columns / laneColumns),
    },
  };
}

type Operand = Pick<Tensor, "device" | "dtype">;

/** The task for which a form is chosen. */
export interface Wanted {
  /** Either operand. */
  readonly operand: Operand;
  readonly op: string;
  /** Shaders whose code the choice depends on. */
  readonly shaders: readonly WgslModule[];
  readonly extents: ProductExtents;
  /** Other details that the choice depends on. */
  readonly details: readonly (string | number | boolean)[];
  /** Forms without tiles; the one for software adapters comes first. */
  readonly untiled: readonly string[];
  /** A form of some other algorithm that suits this problem, and whether GPUs take it without measuring. Default: none. */
  readonly further?: { readonly name: string; readonly preferred: boolean } | null;
  /** Runs a form on tensors of its own. */
  readonly trial: (form: string) => void;
  /**
   * Checks that a form computes what a trusted one does. Forms on units for matrices are never the fixed choice, and are
   * measured only once that was found.
   */
  readonly agreesWith: (form: string, trusted: string) => Promise<boolean>;
}

/**
 * Chooses a form: the one that `tune` found to be fastest on this adapter for this class of shapes, otherwise a fixed
 * one. Software adapters have no memory faster than their caches, so they never use tiles, which take twice as long on
 * llvmpipe. GPUs use tiles, as all libraries do.
 */
export function formFor(wanted: Wanted): string {
  const { operand, op, shaders, extents, details, untiled, further = null, trial, agreesWith } = wanted;
  const { device, dtype } = operand;
  const { batch, m, n, k } = extents;
  const { software } = device.adapter;
  const usual = software ? untiled[0]! : formOfGpu(extents, untiled.at(-1)!);
  const fixed = further?.preferred && !software ? further.name : usual;
  const fits = ({ rows, columns }: Pick<Tile, "rows" | "columns">): boolean => rows < 2 * m && columns < 2 * n;
  const tiles = software ? [] : Object.entries(TILES);
  const fitting = tiles.filter(([, tile]) => fits(tile)).map(([name]) => name);
  const matrices = MATRIX_FORMS.flatMap((name) => {
    const tiling = matrixTiling(device, dtype as FloatDType, name);
    return tiling && fits(tiling) ? [{ name, module: tiling.module }] : [];
  });
  const guarded = new Set<string>(matrices.map(({ name }) => name));
  const code = new Set([...shaders, ...matrices.map(({ module }) => module)]);
  const key = [op, hashShaders([...code]), ...details, ...[batch, m, n, k].map(classOf)].join(" ");
  const forms = new Set([fixed, ...untiled, ...fitting, ...(further ? [further.name] : []), ...guarded]);
  return device.tuner.choose(key, [...forms], trial, (form) => !guarded.has(form) || agreesWith(form, usual));
}

const LEAST = 8; // rows and columns from which memory, not the unused part of a tile, limits a product
const ENOUGH_LARGE = 512; // large tiles that occupy a GPU

/** The form that GPUs get without measuring: large tiles if there are enough of them to occupy one. */
function formOfGpu({ batch, m, n }: ProductExtents, untiled: string): string {
  if (Math.min(m, n) < LEAST) return untiled;
  const { rows, columns } = TILES[LARGE]!;
  return batch * Math.ceil(m / rows) * Math.ceil(n / columns) < ENOUGH_LARGE ? TILE : LARGE;
}

/** Rounds an extent up to its class: the next power of two, or one and a half times a power of two. */
function classOf(extent: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(1, extent)));
  return extent <= power ? power : extent <= 1.5 * power ? 1.5 * power : 2 * power;
}

const revisions = new Map<WgslModule, number>();

/** Hash of shader code (FNV-1a): a measurement is valid only while the code stays the same. */
function hashShaders(shaders: readonly WgslModule[]): string {
  return shaders
    .map((shader) => {
      let revision = revisions.get(shader);
      if (revision === undefined) {
        revision = 0x811c9dc5;
        for (const sign of wgslOf(shader, "f32")) revision = Math.imul(revision ^ sign.charCodeAt(0), 0x01000193) >>> 0;
        revisions.set(shader, revision);
      }
      return revision.toString(16);
    })
    .join("-");
}
