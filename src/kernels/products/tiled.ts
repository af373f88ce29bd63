import { elementOf, type FloatDType, type Shape, type Tensor } from "../../tensor/tensor.ts";
import { activationConstants } from "../activation.ts";
import type { Epilogue, Geometry } from "../convolution.ts";
import { launch } from "../launch.ts";
import { operationsOf, productOf, slicesOf, type ProductExtents, type Tiling } from "./product.ts";

/** Sources of the operands, by the shader's numbers. */
export const LOAD_A = { matrix: 0, transposed: 1, windows: 2, windowsTransposed: 3, readers: 4 } as const;
export const LOAD_B = { matrix: 0, transposed: 1, weight: 2 } as const;

/** Geometry of an image's windows: constants (strides) and `params` of the shader. */
export interface Windows extends Omit<Geometry, "out_height" | "out_width"> {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly place_height: number;
  readonly place_width: number;
  readonly filter_w: number;
}

const NO_WINDOWS: Windows = {
  height: 1,
  width: 1,
  channels: 1,
  place_height: 1,
  place_width: 1,
  filter_w: 1,
  stride_h: 1,
  stride_w: 1,
  pad_top: 0,
  pad_left: 0,
  dilation_h: 1,
  dilation_w: 1,
};

/** A product as the shader sees it. */
export interface TiledProduct extends ProductExtents {
  /** Name of the calling op, for errors. */
  readonly op: string;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly loadA: number;
  readonly loadB: number;
  readonly epilogue: Epilogue;
  /** Elements per load and store. */
  readonly pack: 1 | 4;
  /** Shape of the result: as many elements as `[G, M, N]`. */
  readonly shape: Shape;
  /**
   * Rows of the product per image; 1 for matrices. If images follow one another in a and in the output, both may be
   * larger than a dispatch can bind.
   */
  readonly positions?: number;
  readonly windows?: Windows;
}

/** The product, of a's dtype. The sum is split into slices only if no activation follows. */
export function tiledProduct(product: TiledProduct, tiling: Tiling): Tensor {
  const { module, entryPoint, rows, columns, depth: step, enough } = tiling;
  const { op, a, b, loadA, loadB, epilogue, pack, shape, positions = 1, windows = NO_WINDOWS, ...extents } = product;
  const { stride_h, stride_w, ...geometry } = windows;
  const { bias = null, activation = null } = epilogue;
  const { batch, m, n, k } = extents;
  const columnTiles = Math.ceil(n / columns);
  const tiles = batch * Math.ceil(m / rows) * columnTiles;
  const { slices, depth } = slicesOf(extents, tiles, activation === null ? enough : 1, step);
  const sizeOf = (images: number) => ({
    workgroups: batch * Math.ceil((images * positions) / rows) * columnTiles * slices,
  });
  const images = m / positions;
  const inParts = slices === 1 && batch === 1 && loadA !== LOAD_A.transposed && loadA !== LOAD_A.windowsTransposed;
  return productOf(a.device, extents, slices, shape, a.dtype as FloatDType, (output, partial) =>
    launch({
      module,
      entryPoint,
      element: elementOf(a.dtype, pack),
      constants: {
        LOAD_A: loadA,
        LOAD_B: loadB,
        BIAS: bias !== null,
        SLICED: slices > 1,
        STRIDE_H: stride_h,
        STRIDE_W: stride_w,
        TILE_ROWS: rows,
        TILE_COLUMNS: columns,
        TILE_DEPTH: step,
        ...tiling.constants,
        ...activationConstants(op, activation),
      },
      tensors: { a, b, bias: bias ?? b, output, partial },
      params: { batch, m: images, positions, n, k, depth, slices, ...geometry },
      size: sizeOf(images),
      work: { operations: operationsOf(extents) },
      ...(inParts && { parts: { param: "m", tensors: ["a", "output"], size: sizeOf } }),
    }),
  );
}
