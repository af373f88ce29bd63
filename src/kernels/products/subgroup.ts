import module from "../../../shaders/subgroup_product.wgsl";
import type { Device } from "../../runtime/device.ts";
import { elementOf, toArray, type Shape, type Tensor } from "../../tensor/tensor.ts";
import { activationForward, activationParams } from "../activation.ts";
import { castForward } from "../cast.ts";
import type { Epilogue } from "../convolution.ts";
import { launch } from "../launch.ts";
import { operationsOf, productOf, slicesOf, type ProductExtents } from "./product.ts";
import { normal } from "../random.ts";

const [SIDE, COLUMNS, DEPTH] = [16, 64, 32]; // as in the shader
const [MOST_SUBGROUPS, MOST_LANES] = [4, 256]; // limits of a workgroup
const ENOUGH_TILES = 256; // tiles that occupy a GPU: with fewer, the sum is split into slices

/** Name of this form. */
export const SUBGROUP_MATRICES = "subgroup matrices";

/** An f16 product, on a device that has `adapter.matrixLanes`. */
export interface SubgroupProduct extends ProductExtents {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly epilogue: Epilogue;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** True if the form can compute a product and its tiles are not mostly empty. */
export const hasSubgroupMatrices = ({ device, dtype }: Tensor, { m, n }: ProductExtents): boolean =>
  dtype === "f16" && device.adapter.matrixLanes !== undefined && 2 * Math.min(m, n) > COLUMNS;

/** The product, in f16. The sum is split into slices only if no activation follows. */
export function subgroupProduct(product: SubgroupProduct, pack: number): Tensor {
  const {
    a,
    b,
    epilogue: { bias = null, activation = null },
    transposeA,
    transposeB,
    ...extents
  } = product;
  const { batch, m, n, k } = extents;
  const lanes = a.device.adapter.matrixLanes!;
  const subgroups = Math.min(MOST_SUBGROUPS, Math.floor(MOST_LANES / lanes));
  const tilesOf = (rows: number) => batch * Math.ceil(rows / (SIDE * subgroups)) * Math.ceil(n / COLUMNS);
  const { slices, depth } = slicesOf(extents, tilesOf(m), activation === null ? ENOUGH_TILES : 1, DEPTH);
  const sliced = slices > 1;
  const sizeOf = (rows: number) => ({ workgroups: tilesOf(rows) * slices });
  return productOf(a.device, extents, slices, [batch, m, n], "f16", (output, partial) =>
    launch({
      module,
      entryPoint: "forward",
      element: elementOf("f16", pack),
      constants: {
        TRANSPOSE_A: transposeA,
        TRANSPOSE_B: transposeB,
        SLICED: sliced,
        SUBGROUPS: subgroups,
        WORKGROUP_SIZE: subgroups * lanes,
      },
      tensors: { a, b, bias: bias ?? b, output, partial },
      params: { batch, m, n, k, depth, slices, bias: Number(bias !== null), ...activationParams("matmul", activation) },
      size: sizeOf(m),
      work: { operations: operationsOf(extents) },
      ...(batch === 1 && !transposeA && !sliced && { parts: { param: "m", tensors: ["a", "output"], size: sizeOf } }),
    }),
  );
}

// Sizes that leave tiles partly empty; one sum short enough that a single wrong product shows, one long enough to be
// split.
const CHECKED: readonly ProductExtents[] = [44, 556].map((k) => ({ batch: 2, m: 84, n: 76, k }));

/**
 * Tolerance between two forms, relative to the sum of absolute products. Rounding both results to f16 accounts for at
 * most 2^-10, sums in f32 for less; the other factor of four allows for hardware that rounds sums differently. In a sum
 * of 44 products a single product is about 2^-5.5.
 */
const CLOSE = 2 ** -8;

/**
 * Checks that this device's subgroup matrices give the same results as another form, on random operands.
 * @param packed true if the operands' extents are multiples of four
 * @param shapesOf how the operands are stored
 * @param compute the product in this form or, if `trusted`, in the other one
 */
export async function agrees(
  device: Device,
  packed: boolean,
  shapesOf: (extents: ProductExtents) => readonly [a: Shape, b: Shape],
  compute: (a: Tensor, b: Tensor, bias: Tensor, trusted: boolean) => Tensor,
): Promise<boolean> {
  for (const extents of CHECKED) {
    const [m, n, k] = [extents.m, extents.n, extents.k].map((extent) => (packed ? extent : extent - 1)) as [
      number,
      number,
      number,
    ];
    const read = (): readonly Promise<Float32Array>[] => {
      using _scope = device.scope();
      const drawn = [...shapesOf({ ...extents, m, n, k }), [n]].map((shape, stream) =>
        castForward(normal(device, shape, { seed: 1, stream, step: 0 }), "f16"),
      ) as [Tensor, Tensor, Tensor];
      const sizes = drawn.map((tensor) => activationForward(tensor, "abs")) as typeof drawn;
      return [compute(...drawn, false), compute(...drawn, true), compute(...sizes, true)].map((tensor) =>
        toArray(tensor),
      );
    };
    const [found, wanted, scale] = (await Promise.all(read())) as [Float32Array, Float32Array, Float32Array];
    if (!found.every((value, i) => Math.abs(value - wanted[i]!) <= CLOSE * scale[i]!)) return false;
  }
  return true;
}
