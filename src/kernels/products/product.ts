import type { Device } from "../../runtime/device.ts";
import type { WgslModule } from "../../runtime/wgsl.ts";
import { empty, release, type FloatDType, type Shape, type Tensor } from "../../tensor/tensor.ts";
import { settleAs } from "../cast.ts";
import { reduceMiddle } from "../reduce.ts";

const MIN_DEPTH = 256; // least extent of a slice along the summed axis

/** Extents of a batched product `[G,M,K] [G,K,N] -> [G,M,N]`. */
export interface ProductExtents {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Number of multiplications and additions. */
export const operationsOf = ({ batch, m, n, k }: ProductExtents): number => 2 * batch * m * n * k;

/** The tiles of workgroup memory in which a form computes, and the kernel that does. */
export interface Tiling {
  readonly module: WgslModule;
  readonly entryPoint: string;
  /** Outputs of a workgroup, and the depth of k that it keeps in memory at a time. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Number of tiles that occupies a GPU. */
  readonly enough: number;
  /** Values of the kernel's overrides that belong to the form alone. */
  readonly constants: Readonly<Record<string, number>>;
}

/** Split of a sum over k into `slices` slices of `depth` elements. */
export interface Slices {
  readonly slices: number;
  readonly depth: number;
}

/**
 * Chooses the slices of a sum from shape and form alone, so that the same shape always gives the same bits.
 * @param tiles number of output tiles, which would run side by side without slices
 * @param enough number of tiles that occupies a GPU
 * @param step a slice's depth is a multiple of it
 */
export function slicesOf({ k }: ProductExtents, tiles: number, enough: number, step: number): Slices {
  const wanted = Math.max(1, Math.min(Math.floor(k / MIN_DEPTH), Math.ceil(enough / Math.max(1, tiles))));
  const depth = Math.max(step, Math.ceil(k / wanted / step) * step);
  return { slices: Math.max(1, Math.ceil(k / depth)), depth };
}

/**
 * Computes a product and adds up its slices if there are several.
 * @param compute writes the product into `output` or, if it is split, the slices into `partial`, `[G, S, M, N]`; the
 *   other one is a dummy
 */
export function productOf(
  device: Device,
  { batch, m, n }: ProductExtents,
  slices: number,
  shape: Shape,
  dtype: FloatDType,
  compute: (output: Tensor, partial: Tensor) => void,
): Tensor {
  const sliced = slices > 1;
  const output = empty(device, sliced ? [1] : shape, dtype);
  const partial = empty(device, sliced ? [batch, slices, m, n] : [1]);
  compute(output, partial);
  if (!sliced) {
    release(partial);
    return output;
  }
  const sum = reduceMiddle(partial, { groups: batch, extent: slices, channels: m * n }, shape, "sum");
  release(output);
  release(partial);
  return settleAs(sum, dtype);
}

// rows of a product that one workgroup computes in the forms for software adapters, as in their shaders
const UNIFORM_ROWS = 4 * 64;

/** Workgroups of a form whose lanes differ only in their rows, as a function of the number of rows. */
export const uniformSize =
  (columns: number, columnsOfGroup: number, products = 1) =>
  (rows: number): { readonly workgroups: number } => ({
    workgroups: products * Math.ceil(rows / UNIFORM_ROWS) * Math.ceil(columns / columnsOfGroup),
  });
