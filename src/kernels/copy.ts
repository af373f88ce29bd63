import module from "../../shaders/copy.wgsl";
import { shapeError } from "../runtime/errors.ts";
import type { Element } from "../runtime/kernel.ts";
import { floatToHalf } from "../tensor/half.ts";
import { countOf, empty, type DType, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

const AXES = 6; // of a dispatch, after neighbours that are walked alike have become one

/** An axis of a region: how many places, and how far they lie apart in either tensor. */
interface Axis {
  readonly extent: number;
  readonly from: number;
  readonly to: number;
}

/** Strides of a row-major tensor, in elements. */
export const stridesOf = (shape: Shape): number[] => shape.map((_, axis) => countOf(shape.slice(axis + 1)));

/** The elements of `shape`, read from `input` with given strides: a tensor of its own, of that shape. */
export function gatherRegion(op: string, input: Tensor, shape: Shape, strides: readonly number[], base: number): Tensor {
  const output = empty(input.device, shape, input.dtype);
  const own = stridesOf(shape);
  region(op, input, output, shape.map((extent, axis) => ({ extent, from: strides[axis]!, to: own[axis]! })), base, 0);
  return output;
}

/** The tensor repeated along its axes of extent 1, and along new ones in front. It broadcasts to `shape`. */
export function broadcastForward(op: string, input: Tensor, shape: Shape): Tensor {
  const added = shape.length - input.shape.length;
  const own = stridesOf(input.shape);
  return gatherRegion(op, input, shape, shape.map((_, axis) => (axis < added || input.shape[axis - added] === 1 ? 0 : own[axis - added]!)), 0);
}

/** Tensors one after another along an axis. All other extents are equal. */
export function joinRegions(op: string, inputs: readonly Tensor[], axis: number): Tensor {
  const [first] = inputs as [Tensor];
  const extent = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const output = empty(first.device, first.shape.map((own, at) => (at === axis ? extent : own)), first.dtype);
  const to = stridesOf(output.shape);
  let offset = 0;
  for (const input of inputs) {
    const from = stridesOf(input.shape);
    region(op, input, output, input.shape.map((extent, at) => ({ extent, from: from[at]!, to: to[at]! })), 0, offset * to[axis]!);
    offset += input.shape[axis]!;
  }
  return output;
}

/** The tensor with `before` and `after` elements of `value` around it along each axis. */
export function padForward(op: string, input: Tensor, amounts: readonly (readonly [before: number, after: number])[], value: number): Tensor {
  const output = empty(input.device, input.shape.map((extent, axis) => extent + amounts[axis]![0] + amounts[axis]![1]), input.dtype);
  const from = stridesOf(input.shape);
  // An axis without padding joins the one before it: inside of that is then a stretch of whole rows.
  const axes: { extent: number; from: number; low: number; high: number }[] = [];
  output.shape.forEach((extent, axis) => {
    const [low, own] = [amounts[axis]![0], input.shape[axis]!];
    const last = axes.at(-1);
    if (last && low === 0 && own === extent) {
      axes[axes.length - 1] = { extent: last.extent * extent, from: from[axis]!, low: last.low * extent, high: last.high * extent };
    } else axes.push({ extent, from: from[axis]!, low, high: low + own });
  });
  const pack = packOfAll(axes.at(-1) ?? null, axes.flatMap(({ extent, low, high }, i) => (i === axes.length - 1 ? [extent, low, high] : [])), axes.slice(0, -1).map(({ from }) => from));
  const six = sixOf(op, input, axes.map(({ extent, from, low, high }, i) => {
    const last = i === axes.length - 1;
    return { extent: last ? extent / pack : extent, from: last ? from : from / pack, low: last ? low / pack : low, high: last ? high / pack : high };
  }), { extent: 1, from: 0, low: 0, high: 1 });
  const packs = countOf(output.shape) / pack;
  launch({
    module,
    entryPoint: "padded",
    element: elementFor(input.dtype, pack),
    tensors: { input, output },
    params: { ...NO_REGION, packs, fill: bitsOf(value, input.dtype), ...named("d", six.map(({ extent }) => extent)), ...named("s", six.map(({ from }) => from)), ...named("low", six.map(({ low }) => low)), ...named("high", six.map(({ high }) => high)) },
    size: { invocations: packs },
  });
  return output;
}

function region(op: string, input: Tensor, output: Tensor, all: readonly Axis[], inBase: number, outBase: number): void {
  const axes: Axis[] = [];
  for (const axis of all) {
    if (axis.extent === 1) continue;
    const last = axes.at(-1);
    // Two axes that are walked as one in both tensors are one.
    if (last && last.from === axis.from * axis.extent && last.to === axis.to * axis.extent) axes[axes.length - 1] = { ...axis, extent: last.extent * axis.extent };
    else axes.push(axis);
  }
  const last = axes.at(-1) ?? { extent: 1, from: 1, to: 1 };
  const outer = axes.slice(0, -1);
  const pack = last.to === 1 ? packOfAll(last, [last.extent, inBase, outBase], outer.flatMap(({ from, to }) => [from, to])) : 1;
  const inPacks = outer.map(({ extent, from, to }) => ({ extent, from: from / pack, to: to / pack }));
  const six = sixOf(op, input, [...inPacks, { ...last, extent: last.extent / pack }], { extent: 1, from: 0, to: 0 });
  const packs = all.reduce((product, { extent }) => product * extent, 1) / pack;
  launch({
    module,
    entryPoint: "region",
    element: elementFor(input.dtype, pack),
    tensors: { input, output },
    params: { ...NO_PADDING, packs, in_base: inBase / pack, out_base: outBase / pack, ...named("d", six.map(({ extent }) => extent)), ...named("s", six.map(({ from }) => from)), ...named("t", six.map(({ to }) => to)) },
    size: { invocations: packs },
  });
}

/** Four where the innermost axis is contiguous in the input and everything else is a multiple of four. */
function packOfAll(last: { readonly from: number } | null, ...numbers: readonly (readonly number[])[]): 1 | 4 {
  return last?.from === 1 && numbers.flat().every((n) => n % 4 === 0) ? 4 : 1;
}

const elementFor = (dtype: DType, pack: 1 | 4): Element => (dtype === "f16" ? (pack === 4 ? "f16x4" : "f16") : pack === 4 ? "u32x4" : "u32");

function sixOf<T>(op: string, input: Tensor, axes: readonly T[], one: T): T[] {
  if (axes.length > AXES) shapeError(op, `expected at most ${AXES} axes that are not walked alike, there are ${axes.length}`, { input });
  return [...Array<T>(AXES - axes.length).fill(one), ...axes];
}

const named = (name: string, values: readonly number[]): Record<string, number> => Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]));

const ZEROS = Array<number>(AXES).fill(0);
const NO_REGION = { in_base: 0, out_base: 0, ...named("t", ZEROS) };
const NO_PADDING = { fill: 0, ...named("low", ZEROS), ...named("high", ZEROS) };

const word = new DataView(new ArrayBuffer(4));

/** A number's bits as the dtype stores it. */
function bitsOf(value: number, dtype: DType): number {
  if (dtype === "u32") return value >>> 0;
  if (dtype === "f16") return floatToHalf(value);
  word.setFloat32(0, value);
  return word.getUint32(0);
}
