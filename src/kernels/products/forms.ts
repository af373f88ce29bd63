import { wgslOf } from "../../runtime/kernel.ts";
import type { Device } from "../../runtime/device.ts";
import type { WgslModule } from "../../runtime/wgsl.ts";
import type { ProductExtents } from "./product.ts";

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

/** The task for which a form is chosen. */
export interface Wanted {
  readonly device: Device;
  readonly op: string;
  /** Shaders whose code the choice depends on. */
  readonly shaders: readonly WgslModule[];
  readonly extents: ProductExtents;
  /** Other details that the choice depends on. */
  readonly details: readonly (string | number | boolean)[];
  /** Forms without tiles; the one for software adapters comes first. */
  readonly untiled: readonly string[];
  /** Runs a form on tensors of its own. */
  readonly trial: (form: string) => void;
  /**
   * A form that is never the fixed choice: it is measured, and only once it agrees with the fixed one. Default: none.
   */
  readonly guarded?: Guarded | null;
}

interface Guarded {
  readonly form: string;
  readonly agreesWith: (fixed: string) => Promise<boolean>;
}

/**
 * Chooses a form: the one that `tune` found to be fastest on this adapter for this class of shapes, otherwise a fixed
 * one. Software adapters have no memory faster than their caches, so they never use tiles, which take twice as long on
 * llvmpipe. GPUs use tiles, as all libraries do.
 */
export function formFor({ device, op, shaders, extents, details, untiled, trial, guarded = null }: Wanted): string {
  const { batch, m, n, k } = extents;
  const { software } = device.adapter;
  const fixed = software ? untiled[0]! : formOfGpu(extents, untiled.at(-1)!);
  const tiles = software ? [] : Object.entries(TILES);
  const fitting = tiles.filter(([, { rows, columns }]) => rows < 2 * m && columns < 2 * n).map(([name]) => name);
  const forms = new Set([fixed, ...untiled, ...fitting, ...(guarded ? [guarded.form] : [])]);
  const key = [op, hashShaders(shaders), ...details, ...[batch, m, n, k].map(classOf)].join(" ");
  return device.tuner.choose(key, [...forms], trial, (form) => form !== guarded?.form || guarded.agreesWith(fixed));
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
