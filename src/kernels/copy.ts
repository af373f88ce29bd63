import module from "../../shaders/copy.wgsl";
import { shapeError } from "../runtime/errors.ts";
import type { Element } from "../runtime/kernel.ts";
import { floatToHalf } from "../tensor/half.ts";
import { bytesOf, countOf, empty, type DType, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

const AXES = 6; // axes of a dispatch, after adjacent axes that can be walked as one are merged

/** An axis of a region: its extent and the stride, in elements, in either tensor. */
interface Axis {
  readonly extent: number;
  readonly from: number;
  readonly to: number;
}

/** Strides of a row-major tensor, in elements. */
export const stridesOf = (shape: Shape): number[] => shape.map((_, axis) => countOf(shape.slice(axis + 1)));

/** A new tensor of `shape`, read from `input` with the given strides. */
export function gatherRegion(
  op: string,
  input: Tensor,
  shape: Shape,
  strides: readonly number[],
  base: number,
): Tensor {
  const output = empty(input.device, shape, input.dtype);
  const own = stridesOf(shape);
  region(
    op,
    input,
    output,
    shape.map((extent, axis) => ({ extent, from: strides[axis]!, to: own[axis]! })),
    base,
    0,
  );
  return output;
}

/** The tensor repeated along its axes of extent 1 and along new axes in front. It must broadcast to `shape`. */
export function broadcastForward(op: string, input: Tensor, shape: Shape): Tensor {
  const added = shape.length - input.shape.length;
  const own = stridesOf(input.shape);
  const strides = shape.map((_, axis) => (axis < added || input.shape[axis - added] === 1 ? 0 : own[axis - added]!));
  return gatherRegion(op, input, shape, strides, 0);
}

/** Tensors concatenated along an axis. All other extents must be equal. */
export function joinRegions(op: string, inputs: readonly Tensor[], axis: number): Tensor {
  const [first] = inputs as [Tensor];
  const extent = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const output = empty(
    first.device,
    first.shape.map((own, at) => (at === axis ? extent : own)),
    first.dtype,
  );
  const to = stridesOf(output.shape);
  let offset = 0;
  for (const input of inputs) {
    const from = stridesOf(input.shape);
    region(
      op,
      input,
      output,
      input.shape.map((extent, at) => ({ extent, from: from[at]!, to: to[at]! })),
      0,
      offset * to[axis]!,
    );
    offset += input.shape[axis]!;
  }
  return output;
}

/** Number of elements to add before and after a tensor's own along an axis. */
type Amounts = readonly [before: number, after: number];

/** The tensor padded with `value` by `amounts` along each axis. */
export function padForward(op: string, input: Tensor, amounts: readonly Amounts[], value: number): Tensor {
  const output = empty(
    input.device,
    input.shape.map((extent, axis) => extent + amounts[axis]![0] + amounts[axis]![1]),
    input.dtype,
  );
  const from = stridesOf(input.shape);
  // An axis without padding is merged into the one before it, which then consists of whole rows.
  const axes: { extent: number; from: number; low: number; high: number }[] = [];
  output.shape.forEach((extent, axis) => {
    const [low, own] = [amounts[axis]![0], input.shape[axis]!];
    const last = axes.at(-1);
    if (last && low === 0 && own === extent) {
      axes[axes.length - 1] = {
        extent: last.extent * extent,
        from: from[axis]!,
        low: last.low * extent,
        high: last.high * extent,
      };
    } else axes.push({ extent, from: from[axis]!, low, high: low + own });
  });
  const one = { extent: 1, from: 0, low: 0, high: 1 };
  const last = axes.at(-1) ?? one;
  const outer = axes.slice(0, -1);
  const pack = packOfAll(
    last,
    [last.extent, last.low, last.high],
    outer.map(({ from }) => from),
  );
  const inPacks = [
    ...outer.map((axis) => ({ ...axis, from: axis.from / pack })),
    { extent: last.extent / pack, from: last.from, low: last.low / pack, high: last.high / pack },
  ];
  const six = sixOf(op, input, inPacks, one);
  const packs = countOf(output.shape) / pack;
  launch({
    module,
    entryPoint: "padded",
    element: elementFor(input.dtype, pack),
    tensors: { input, output },
    params: {
      ...NO_REGION,
      packs,
      fill: bitsOf(value, input.dtype),
      ...named(
        "d",
        six.map(({ extent }) => extent),
      ),
      ...named(
        "s",
        six.map(({ from }) => from),
      ),
      ...named(
        "low",
        six.map(({ low }) => low),
      ),
      ...named(
        "high",
        six.map(({ high }) => high),
      ),
    },
    size: { invocations: packs },
  });
  return output;
}

function region(
  op: string,
  input: Tensor,
  output: Tensor,
  all: readonly Axis[],
  inBase: number,
  outBase: number,
): void {
  const axes: Axis[] = [];
  for (const axis of all) {
    if (axis.extent === 1) continue;
    const last = axes.at(-1);
    // Two axes that are contiguous in both tensors are walked as one.
    const alike = last && last.from === axis.from * axis.extent && last.to === axis.to * axis.extent;
    if (alike) axes[axes.length - 1] = { ...axis, extent: last.extent * axis.extent };
    else axes.push(axis);
  }
  const last = axes.at(-1) ?? { extent: 1, from: 1, to: 1 };
  const outer = axes.slice(0, -1);
  const pack =
    last.to === 1
      ? packOfAll(
          last,
          [last.extent, inBase, outBase],
          outer.flatMap(({ from, to }) => [from, to]),
        )
      : 1;
  const inPacks = outer.map(({ extent, from, to }) => ({ extent, from: from / pack, to: to / pack }));
  const six = sixOf(op, input, [...inPacks, { ...last, extent: last.extent / pack }], { extent: 1, from: 0, to: 0 });
  const count = all.reduce((product, { extent }) => product * extent, 1);
  const packs = count / pack;
  const moved = bytesOf({ shape: [count], dtype: input.dtype });
  launch({
    module,
    entryPoint: "region",
    element: elementFor(input.dtype, pack),
    tensors: { input, output },
    params: {
      ...NO_PADDING,
      packs,
      in_base: inBase / pack,
      out_base: outBase / pack,
      ...named(
        "d",
        six.map(({ extent }) => extent),
      ),
      ...named(
        "s",
        six.map(({ from }) => from),
      ),
      ...named(
        "t",
        six.map(({ to }) => to),
      ),
    },
    size: { invocations: packs },
    work: { bytes: moved + Math.min(moved, bytesOf(input)) },
  });
}

/** Four if the innermost axis is contiguous in the input and every other number is a multiple of four, else one. */
function packOfAll(last: { readonly from: number }, ...numbers: readonly (readonly number[])[]): 1 | 4 {
  return last.from === 1 && numbers.flat().every((n) => n % 4 === 0) ? 4 : 1;
}

/** f32 is copied as u32 words: a float register need not preserve the bits of a NaN. */
function elementFor(dtype: DType, pack: 1 | 4): Element {
  const moved = dtype === "f16" ? "f16" : "u32";
  return pack === 4 ? `${moved}x4` : moved;
}

function sixOf<T>(op: string, input: Tensor, axes: readonly T[], one: T): T[] {
  if (axes.length > AXES)
    shapeError(op, `expected at most ${AXES} axes that cannot be merged, there are ${axes.length}`, { input });
  return [...Array<T>(AXES - axes.length).fill(one), ...axes];
}

const named = (name: string, values: readonly number[]): Record<string, number> =>
  Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]));

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
