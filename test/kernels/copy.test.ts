import { afterEach, describe, expect, test } from "vitest";
import { gather } from "../../src/ops/gather.ts";
import { broadcastTo, concat, pad, slice, transpose } from "../../src/ops/shape.ts";
import type { Element, KernelSpec } from "../../src/runtime/kernel.ts";
import { bytesOf, countOf, empty, fromArray, type DType, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import * as reference from "../reference/shape.ts";

const HALF = device.gpu.features.has("shader-f16");
const DTYPES: readonly DType[] = HALF ? ["f32", "f16", "u32"] : ["f32", "u32"];

/**
 * Numbers with bits that arithmetic may not preserve: zeros of either sign, subnormal, infinite; then ordinary ones.
 */
const ODD_BITS = {
  f32: [0x80000000, 0x00000001, 0x7f800000, 0xff800000],
  f16: [0x8000, 0x0001, 0x7c00, 0xfc00],
  u32: [0, 0x7fc00001, 0xffffffff, 0x80000000],
};
const ONE = { f32: 0x3f800000, f16: 0x3c00, u32: 1 };

const wordsOf = (dtype: DType, count: number): number[] =>
  Array.from({ length: count }, (_, i) => ODD_BITS[dtype][i] ?? ONE[dtype] + i);

/** A tensor of given bits. */
function tensorOf(dtype: DType, shape: Shape, words: readonly number[]): Tensor {
  const tensor = empty(device, shape, dtype);
  device.write(tensor.allocation.buffer, dtype === "f16" ? Uint16Array.from(words) : Uint32Array.from(words));
  return tensor;
}

async function wordsIn({ allocation, dtype, shape }: Tensor): Promise<number[]> {
  const bytes = await device.read(allocation.buffer, bytesOf({ shape, dtype }));
  return Array.from(dtype === "f16" ? new Uint16Array(bytes) : new Uint32Array(bytes));
}

const indices = (): Tensor => fromArray(device, [4], Uint32Array.of(2, 0, 2, 1));
const amounts = (last: number) =>
  [
    [0, 0],
    [1, 2],
    [last, 4],
  ] as const;

describe.each(DTYPES)("%s elements keep their bits when", (dtype) => {
  test.each<readonly [string, Shape, (input: Tensor) => Tensor, (shape: Shape) => reference.Moves]>([
    ["transposed, packed", [2, 3, 8], (x) => transpose(x, [1, 0, 2]), (shape) => reference.transpose(shape, [1, 0, 2])],
    ["transposed, ragged", [2, 3, 8], (x) => transpose(x, [2, 0, 1]), (shape) => reference.transpose(shape, [2, 0, 1])],
    ["sliced, packed", [3, 12], (x) => slice(x, 4, 8), (shape) => reference.slice(shape, 4, 8, 1)],
    ["sliced, ragged", [3, 11], (x) => slice(x, 3, 5), (shape) => reference.slice(shape, 3, 5, 1)],
    ["padded, packed", [2, 3, 4], (x) => pad(x, amounts(8)), (shape) => reference.pad(shape, amounts(8))],
    ["padded, ragged", [2, 3, 3], (x) => pad(x, amounts(1)), (shape) => reference.pad(shape, amounts(1))],
    ["repeated", [3, 1, 4], (x) => broadcastTo(x, [2, 3, 5, 4]), (shape) => reference.broadcastTo(shape, [2, 3, 5, 4])],
    [
      "repeated along the last axis",
      [3, 1],
      (x) => broadcastTo(x, [3, 8]),
      (shape) => reference.broadcastTo(shape, [3, 8]),
    ],
    ["picked, packed", [3, 8], (x) => gather(x, indices()), (shape) => reference.gather(shape, [2, 0, 2, 1], 0)],
    ["picked, ragged", [3, 5], (x) => gather(x, indices()), (shape) => reference.gather(shape, [2, 0, 2, 1], 0)],
    ["joined", [3, 5], (x) => concat([x]), (shape) => reference.concat([shape], 1)[0]!],
  ])("%s", async (_how, shape, run, moves) => {
    using _scope = device.scope({ awaits: true });
    const words = wordsOf(dtype, countOf(shape));
    const reading = wordsIn(run(tensorOf(dtype, shape, words)));
    expect(await reading).toEqual(moves(shape).map((from) => (from < 0 ? 0 : words[from])));
  });
});

test.each<readonly [DType, number, number]>([
  ["f32", -1.5, 0xbfc00000],
  ["f32", Infinity, 0x7f800000],
  ["f32", -0, 0x80000000],
  ["u32", 0xffffffff, 0xffffffff],
  ...(HALF
    ? ([
        ["f16", -1.5, 0xbe00],
        ["f16", 1e6, 0x7c00],
        ["f16", 2 ** -24, 0x0001],
      ] as const)
    : []),
])("%s is padded with the bits of %d", async (dtype, value, bits) => {
  using _scope = device.scope({ awaits: true });
  for (const extent of [3, 4]) {
    const reading = wordsIn(pad(tensorOf(dtype, [extent], wordsOf(dtype, extent)), [[4, 4]], value));
    expect(await reading).toEqual([bits, bits, bits, bits, ...wordsOf(dtype, extent), bits, bits, bits, bits]);
  }
});

describe("four elements travel together", () => {
  afterEach(() => void delete (device as { kernel?: unknown }).kernel);
  test.each<readonly [string, Shape, (input: Tensor) => Tensor, packed: boolean]>([
    ["where the innermost axis stays and all rows align", [2, 3, 8], (x) => transpose(x, [1, 0, 2]), true],
    ["where ragged rows make a stretch that aligns", [4, 6, 3], (x) => slice(x, 2, 4, 1), false],
    ["where ragged rows make stretches that align", [4, 8, 3], (x) => slice(x, 4, 4, 1), true],
    [
      "where the last axis is padded by multiples of four",
      [3, 8],
      (x) =>
        pad(x, [
          [1, 0],
          [4, 8],
        ]),
      true,
    ],
    [
      "where rows without padding make a stretch that aligns",
      [3, 4, 5],
      (x) =>
        pad(x, [
          [1, 0],
          [0, 4],
          [0, 0],
        ]),
      true,
    ],
    ["not where the innermost axis moves", [4, 8], (x) => transpose(x, [1, 0]), false],
    ["not at a ragged offset", [3, 8], (x) => slice(x, 1, 4), false],
    [
      "not where padding is ragged",
      [3, 8],
      (x) =>
        pad(x, [
          [0, 0],
          [1, 3],
        ]),
      false,
    ],
  ])("%s", (_when, shape, run, packed) => {
    using _scope = device.scope();
    const input = tensorOf("f32", shape, wordsOf("f32", countOf(shape)));
    const elements: Element[] = [];
    const kernel = device.kernel.bind(device);
    Object.defineProperty(device, "kernel", {
      configurable: true,
      value: (spec: KernelSpec) => (elements.push(spec.element), kernel(spec)),
    });
    run(input);
    expect(elements).toEqual([packed ? "u32x4" : "u32"]);
  });
});
