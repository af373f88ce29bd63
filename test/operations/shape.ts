import { cast } from "../../src/ops/cast.ts";
import { gather } from "../../src/ops/gather.ts";
import { broadcastTo, concat, pad, reshape, slice, transpose } from "../../src/ops/shape.ts";
import { countOf, fromArray, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/shape.ts";

/** A shape whose last axis is packed or not. */
const shapeOf = (draws: Draws, least = 1): Shape => [
  ...Array.from({ length: draws.whole(least - 1, 3) }, () => draws.whole(1, 4)),
  draws.channels(),
];

/** An operation that only moves one input's elements, so that nothing is rounded. */
const moving = <P>(
  name: string,
  problems: Operation<P>["problems"],
  draw: (draws: Draws) => P,
  shape: (p: P) => Shape,
  run: (p: P, input: Tensor) => Tensor,
  moves: (p: P) => reference.Moves,
  fill: (p: P) => number = () => 0,
): Operation<P> => ({
  name,
  problems,
  draw,
  shapes: (p) => [shape(p)],
  run: (p, [input]) => run(p, input!),
  forward: (p, [input]) => reference.moved(moves(p), input!, fill(p)),
  backward: (p, [input], gradOutput) => [reference.movedBack(moves(p), input!, gradOutput)],
  slack: () => 0,
});

export const reshapeOperation = moving<{ readonly from: Shape; readonly to: Shape }>(
  "reshape",
  [
    ["axes joined", { from: [2, 3, 4], to: [6, 4] }],
    ["axes split", { from: [12], to: [3, 1, 4] }],
    ["one element loses its axes", { from: [1, 1], to: [] }],
  ],
  (draws) => {
    const from = shapeOf(draws);
    return { from, to: draws.chance() ? [countOf(from)] : [...from].reverse() };
  },
  ({ from }) => from,
  ({ to }, input) => reshape(input, to),
  ({ from }) => Array.from({ length: countOf(from) }, (_, i) => i),
);

interface Part {
  readonly shape: Shape;
  readonly start: number;
  readonly count: number;
  readonly axis: number;
}
const part = (shape: Shape, start: number, count: number, axis = -1): Part => ({ shape, start, count, axis });
const axisOf = ({ shape, axis }: { readonly shape: Shape; readonly axis: number }): number =>
  axis < 0 ? axis + shape.length : axis;

export const sliceOperation = moving<Part>(
  "slice",
  [
    ["everything", part([3, 6], 0, 6)],
    ["the first columns, packed", part([2, 3, 12], 0, 8)],
    ["the last columns, packed", part([2, 3, 12], 8, 4)],
    ["the middle, packed", part([5, 16], 4, 8)],
    ["packed columns at a ragged offset", part([5, 16], 3, 8)],
    ["ragged columns at a packed offset", part([5, 16], 4, 7)],
    ["packed columns of a ragged width", part([5, 11], 4, 4)],
    ["one column of many axes", part([2, 3, 2, 5], 4, 1)],
    ["no leading axes", part([9], 2, 3)],
    ["the first axis, packed", part([5, 3, 4], 1, 3, 0)],
    ["an inner axis, ragged", part([3, 5, 2, 3], 2, 2, -3)],
    ["an inner axis of ragged rows that align", part([2, 8, 3], 4, 4, 1)],
  ],
  (draws) => {
    const shape = shapeOf(draws);
    const axis = draws.whole(-shape.length, shape.length - 1);
    const start = draws.whole(0, shape.at(axis)! - 1);
    return part(shape, start, draws.whole(0, shape.at(axis)! - start), axis);
  },
  ({ shape }) => shape,
  ({ start, count, axis }, input) => slice(input, start, count, axis),
  (p) => reference.slice(p.shape, p.start, p.count, axisOf(p)),
);

type Amounts = readonly (readonly [number, number])[];

export const padOperation = moving<{ readonly shape: Shape; readonly amounts: Amounts; readonly value: number }>(
  "pad",
  [
    ["a row", { shape: [5], amounts: [[2, 1]], value: 0 }],
    [
      "an image, packed",
      {
        shape: [2, 3, 4, 8],
        amounts: [
          [0, 0],
          [1, 2],
          [3, 0],
          [0, 0],
        ],
        value: 0,
      },
    ],
    [
      "channels, packed, with a value",
      {
        shape: [2, 3, 4],
        amounts: [
          [0, 0],
          [0, 0],
          [4, 8],
        ],
        value: -1.5,
      },
    ],
    [
      "every axis, ragged",
      {
        shape: [2, 3, 5],
        amounts: [
          [1, 0],
          [0, 2],
          [3, 1],
        ],
        value: 2,
      },
    ],
    [
      "nothing",
      {
        shape: [3, 4],
        amounts: [
          [0, 0],
          [0, 0],
        ],
        value: 9,
      },
    ],
    ["no axes", { shape: [], amounts: [], value: 1 }],
    [
      "the first axis alone",
      {
        shape: [3, 2, 4],
        amounts: [
          [1, 1],
          [0, 0],
          [0, 0],
        ],
        value: 0,
      },
    ],
  ],
  (draws) => {
    const shape = shapeOf(draws);
    return {
      shape,
      amounts: shape.map(() => [draws.whole(0, 4), draws.whole(0, 4)] as const),
      value: draws.pick([0, 1, -0.5]),
    };
  },
  ({ shape }) => shape,
  ({ amounts, value }, input) => pad(input, amounts, value),
  ({ shape, amounts }) => reference.pad(shape, amounts),
  ({ value }) => value,
);

export const transposeOperation = moving<{ readonly shape: Shape; readonly order: readonly number[] }>(
  "transpose",
  [
    ["a matrix", { shape: [3, 5], order: [1, 0] }],
    ["a packed matrix", { shape: [4, 8], order: [1, 0] }],
    ["channels to the front", { shape: [2, 3, 4, 5], order: [0, 3, 1, 2] }],
    ["the last axis stays, packed", { shape: [2, 3, 5, 8], order: [1, 2, 0, 3] }],
    ["a cycle, which is not its own inverse", { shape: [2, 3, 4], order: [1, 2, 0] }],
    ["nothing", { shape: [2, 3, 4], order: [0, 1, 2] }],
    ["axes counted from the end", { shape: [2, 3, 4], order: [-1, 0, -2] }],
    ["six axes in reverse", { shape: [2, 1, 3, 2, 2, 3], order: [5, 4, 3, 2, 1, 0] }],
    ["seven axes, of which some stay together", { shape: [2, 2, 2, 2, 2, 2, 4], order: [5, 6, 0, 1, 2, 3, 4] }],
    ["no axes", { shape: [], order: [] }],
  ],
  (draws) => {
    const shape = shapeOf(draws);
    const order = shape.map((_, axis) => axis);
    for (let i = order.length - 1; i > 0; i--) {
      const j = draws.whole(0, i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return { shape, order };
  },
  ({ shape }) => shape,
  ({ order }, input) => transpose(input, order),
  ({ shape, order }) => reference.transpose(shape, order),
);

export const broadcastToOperation: Operation<{ readonly shape: Shape; readonly to: Shape }> = {
  ...moving<{ readonly shape: Shape; readonly to: Shape }>(
    "broadcastTo",
    [
      ["the same shape", { shape: [2, 3], to: [2, 3] }],
      ["a row to an image, packed", { shape: [8], to: [2, 3, 8] }],
      ["a column", { shape: [3, 1], to: [3, 5] }],
      ["one number", { shape: [], to: [4, 4] }],
      ["an inner axis", { shape: [2, 1, 4], to: [2, 3, 4] }],
      ["a sum over more rows than one pass takes", { shape: [4], to: [300, 4] }],
    ],
    (draws) => {
      const to = shapeOf(draws);
      return { to, shape: to.map((extent) => (draws.chance(0.4) ? 1 : extent)).slice(draws.whole(0, to.length)) };
    },
    ({ shape }) => shape,
    ({ to }, input) => broadcastTo(input, to),
    ({ shape, to }) => reference.broadcastTo(shape, to),
  ),
  slack: ({ to }) => countOf(to), // the gradient is a sum
};

interface Picked {
  readonly shape: Shape;
  readonly indices: readonly number[];
  readonly axis: number;
}

export const gatherOperation: Operation<Picked> = {
  ...moving<Picked>(
    "gather",
    [
      ["rows, some more than once, packed", { shape: [5, 8], indices: [4, 0, 4, 4, 2], axis: 0 }],
      ["an inner axis, ragged", { shape: [2, 4, 3], indices: [3, 1], axis: 1 }],
      ["the last axis", { shape: [3, 6], indices: [5, 5, 0], axis: -1 }],
      ["nothing", { shape: [3, 4], indices: [], axis: 0 }],
      ["beyond the axis: zeros", { shape: [3, 4], indices: [1, 3, 2 ** 32 - 1, 0], axis: 0 }],
      [
        "more than a block of indices",
        { shape: [7, 5], indices: Array.from({ length: 200 }, (_, i) => (i * i) % 9), axis: 0 },
      ],
      ["all the same", { shape: [2, 4], indices: new Array<number>(130).fill(1), axis: 0 }],
    ],
    (draws) => {
      const shape = shapeOf(draws);
      const axis = draws.whole(-shape.length, shape.length - 1);
      return {
        shape,
        axis,
        indices: Array.from({ length: draws.whole(0, draws.chance(0.2) ? 150 : 9) }, () =>
          draws.whole(0, shape.at(axis)!),
        ),
      };
    },
    ({ shape }) => shape,
    ({ indices, axis }, input) => gather(input, fromArray(device, [indices.length], Uint32Array.from(indices)), axis),
    (p) => reference.gather(p.shape, p.indices, axisOf(p)),
  ),
  slack: ({ indices }) => indices.length, // additions of one element's gradient
};

interface Joined {
  readonly shapes: readonly Shape[];
  readonly axis: number;
}
const columns = (leading: Shape, widths: readonly number[]): Joined => ({
  shapes: widths.map((width) => [...leading, width]),
  axis: -1,
});
const movesOf = ({ shapes, axis }: Joined) => reference.concat(shapes, axis < 0 ? axis + shapes[0]!.length : axis);

export const concatOperation: Operation<Joined> = {
  name: "concat",
  problems: [
    ["one input", columns([3], [5])],
    ["two, packed", columns([2, 3], [4, 8])],
    ["two, ragged", columns([5], [3, 2])],
    ["two ragged that make a packed one", columns([2, 2, 3], [3, 5])],
    ["a packed one, then a ragged one", columns([4], [8, 3])],
    ["a packed one at a ragged offset", columns([4], [3, 8, 1])],
    ["three, packed, four axes", columns([2, 2, 3], [4, 12, 8])],
    ["no leading axes", columns([], [3, 4])],
    ["one of no width", columns([3], [2, 0, 3])],
    [
      "along the first axis",
      {
        shapes: [
          [2, 3, 4],
          [1, 3, 4],
        ],
        axis: 0,
      },
    ],
    [
      "along an inner axis, ragged",
      {
        shapes: [
          [2, 1, 3],
          [2, 4, 3],
          [2, 2, 3],
        ],
        axis: 1,
      },
    ],
  ],
  draw: (draws) => {
    const shape = shapeOf(draws);
    const axis = draws.whole(-shape.length, shape.length - 1);
    const at = axis < 0 ? axis + shape.length : axis;
    return {
      axis,
      shapes: Array.from({ length: draws.whole(1, 4) }, () =>
        shape.map((extent, i) => (i === at ? draws.channels() : extent)),
      ),
    };
  },
  shapes: ({ shapes }) => shapes,
  run: ({ axis }, inputs) => concat(inputs, axis),
  forward: (p, inputs) => {
    const parts = movesOf(p).map((moves, i) => reference.moved(moves, inputs[i]!));
    return parts[0]!.map((_, at) => parts.reduce((sum, values) => sum + values[at]!, 0));
  },
  backward: (p, inputs, gradOutput) => movesOf(p).map((moves, i) => reference.movedBack(moves, inputs[i]!, gradOutput)),
  slack: () => 0,
};

/** To f16 and back: the values take one rounding, the gradient another. */
export const castOperation: Operation<{ readonly shape: Shape }> = {
  name: "cast",
  problems: [
    ["packed", { shape: [3, 8] }],
    ["ragged", { shape: [7, 3] }],
  ],
  draw: (draws) => ({ shape: shapeOf(draws) }),
  shapes: ({ shape }) => [shape],
  run: (_p, [input]) =>
    device.gpu.features.has("shader-f16") ? cast(cast(input!, "f16"), "f32") : cast(input!, "f32"),
  forward: (_p, [input]) => input!,
  backward: (_p, _inputs, gradOutput) => [gradOutput],
  slack: () => 2 ** 13, // 2^-11 in units of 2^-24
};
