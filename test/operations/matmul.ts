import { matmul, pointwiseConv2d } from "../../src/ops/matmul.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/matmul.ts";
import type { Problem } from "../reference/matmul.ts";

interface Product extends Problem {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** The axes before the last two, `batch` elements in all. Default: one axis. */
  readonly leading?: readonly number[];
}

/** `[G, X, Y]` as `[G, Y, X]`. */
const turned = (x: number, y: number, values: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: values.length }, (_, i) => {
    const [g, row, column] = [Math.floor(i / (x * y)), Math.floor(i / x) % y, i % x];
    return values[(g * x + column) * y + row]!;
  });

/** The operands in the definition's layout. */
const plain = ({ m, n, k, transposeA, transposeB }: Product, a: ArrayLike<number>, b: ArrayLike<number>) =>
  [transposeA ? turned(k, m, a) : a, transposeB ? turned(n, k, b) : b] as const;

export const matmulOperation: Operation<Product> = {
  name: "matmul",
  problems: [
    ["one by one", { batch: 1, m: 1, n: 1, k: 1 }],
    ["nothing a multiple of anything", { batch: 2, m: 5, n: 7, k: 3 }],
    ["packed, rows that do not fill a tile", { batch: 3, m: 12, n: 8, k: 4 }],
    ["packed operands and a ragged number of rows", { batch: 1, m: 13, n: 12, k: 8 }],
    ["columns packed, summed axis ragged", { batch: 1, m: 8, n: 4, k: 10 }],
    ["a long sum, cut into slices", { batch: 1, m: 4, n: 4, k: 1030 }],
    ["a long sum in the weight gradient, not a multiple of the slices", { batch: 2, m: 777, n: 3, k: 5 }],
    ["a transposed", { batch: 2, m: 5, n: 7, k: 3, transposeA: true }],
    ["b transposed, packed", { batch: 2, m: 9, n: 8, k: 12, transposeB: true }],
    ["both transposed", { batch: 2, m: 8, n: 4, k: 12, transposeA: true, transposeB: true }],
    ["matrices", { batch: 1, m: 9, n: 8, k: 12, leading: [] }],
    ["three leading axes, a transposed", { batch: 6, m: 5, n: 7, k: 3, leading: [2, 1, 3], transposeA: true }],
    ["both transposed, ragged", { batch: 1, m: 6, n: 5, k: 7, transposeA: true, transposeB: true }],
  ],
  draw: (draws) => {
    const isPacked = draws.chance();
    const extent = () => draws.pick(isPacked ? [4, 8, 12, 20, 36] : [1, 2, 3, 4, 5, 8, 12, 17, 33]);
    const long = () => (isPacked ? 4 * draws.whole(125, 175) : draws.whole(500, 700)); // split into slices
    const rows = draws.chance(0.1) ? draws.whole(256, 300) : extent(); // more than one workgroup
    const leading = draws.pick([[], [1], [2], [3], [2, 2], [1, 3, 1]]);
    return {
      batch: leading.reduce((count, extent) => count * extent, 1),
      leading,
      m: rows,
      n: extent(),
      k: draws.chance(0.2) ? long() : extent(),
      transposeA: draws.chance(),
      transposeB: draws.chance(),
    };
  },
  shapes: ({ batch, leading = [batch], m, n, k, transposeA, transposeB }) => [
    [...leading, ...(transposeA ? [k, m] : [m, k])],
    [...leading, ...(transposeB ? [n, k] : [k, n])],
    [n],
  ],
  run: ({ transposeA = false, transposeB = false }, [a, b, bias]) =>
    matmul(a!, b!, { transposeA, transposeB, bias: bias! }),
  forward: (p, [a, b, bias]) => reference.forward(p, ...plain(p, a!, b!), bias!),
  backward: (p, [a, b], gradOutput) => {
    const { m, n, k, transposeA, transposeB } = p;
    const [gradA, gradB, gradBias] = reference.backward(p, ...plain(p, a!, b!), gradOutput) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    return [transposeA ? turned(m, k, gradA) : gradA, transposeB ? turned(k, n, gradB) : gradB, gradBias];
  },
  slack: ({ batch, m, n, k }) => 2 + Math.max(k, n, batch * m), // one rounding per term of the longest sum
};

export const pointwiseConv2dOperation: Operation<{
  readonly height: number;
  readonly inputs: number;
  readonly outputs: number;
}> = {
  name: "pointwiseConv2d",
  problems: [
    ["GRAD's heads: two outputs", { height: 5, inputs: 12, outputs: 2 }],
    ["packed channels", { height: 6, inputs: 8, outputs: 16 }],
  ],
  draw: (draws) => ({ height: draws.whole(1, 9), inputs: draws.channels(), outputs: draws.channels() }),
  shapes: ({ height, inputs, outputs }) => [[2, height, 3, inputs], [inputs, outputs], [outputs]],
  run: (_p, [x, weight, bias]) => pointwiseConv2d(x!, weight!, { bias: bias! }),
  forward: ({ height, inputs, outputs }, [x, weight, bias]) =>
    reference.forward({ batch: 1, m: 6 * height, n: outputs, k: inputs }, x!, weight!, bias!),
  backward: ({ height, inputs, outputs }, [x, weight], gradOutput) =>
    reference.backward({ batch: 1, m: 6 * height, n: outputs, k: inputs }, x!, weight!, gradOutput),
  slack: ({ height, inputs, outputs }) => 2 + Math.max(inputs, outputs, 6 * height),
};
