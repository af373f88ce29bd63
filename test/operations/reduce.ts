import { max, maxPositions, mean, min, sum } from "../../src/ops/reduce.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/reduce.ts";
import type { Problem } from "../reference/reduce.ts";

type Rows = readonly (readonly [why: string, p: Problem])[];

// Extents are powers of two, so that the mean is exact too.
export const DYADIC: Rows = [
  ["one element", { shape: [1], axes: [0] }],
  ["no axes at all", { shape: [], axes: [] }],
  ["no axis of several: every element by itself", { shape: [3, 5], axes: [] }],
  ["the leading axis, packed", { shape: [4, 3, 8], axes: [0] }],
  ["the leading axis, ragged", { shape: [8, 3, 5], axes: [0] }],
  ["the middle axis, packed", { shape: [3, 4, 8], axes: [1] }],
  ["the middle axis, ragged", { shape: [2, 4, 3], axes: [1] }],
  ["the trailing axis", { shape: [3, 5, 8], axes: [2] }],
  ["the pixels of every image, packed", { shape: [2, 4, 4, 12], axes: [1, 2] }],
  ["the pixels of every image, axes the other way round", { shape: [3, 2, 4, 5], axes: [2, 1] }],
  ["all axes", { shape: [4, 2, 8], axes: [0, 1, 2] }],
  ["axes apart from each other", { shape: [2, 4, 3, 8], axes: [1, 3] }],
  ["the first and the last, counted from the end", { shape: [4, 3, 2], axes: [-1, 0] }],
  ["every other of five axes", { shape: [2, 3, 4, 5, 2], axes: [0, 2, 4] }],
  ["every other of six axes, packed", { shape: [2, 2, 2, 3, 4, 8], axes: [0, 2, 4] }],
  ["five axes", { shape: [2, 4, 2, 3, 4], axes: [1, 2] }],
  ["a full slice exactly", { shape: [128, 3], axes: [0] }],
  ["two passes, packed", { shape: [2, 512, 4], axes: [1] }],
  ["three passes", { shape: [32768], axes: [0] }],
];

export const RAGGED: Rows = [
  ["seven elements", { shape: [7], axes: [0] }],
  ["one row more than a slice", { shape: [129, 4], axes: [0] }],
  ["the pixels of every image, odd extents", { shape: [2, 3, 5, 7], axes: [1, 2] }],
  ["two passes, the last slice of one row", { shape: [3, 257], axes: [1] }],
  ["three passes, the last slice of one row", { shape: [16385], axes: [0] }],
];

/** Additions on the longest path of a sum made 128 elements at a time. */
const additions = (extent: number): number => (extent <= 128 ? extent - 1 : 127 + additions(Math.ceil(extent / 128)));

const shapes = ({ shape }: Pick<Problem, "shape">) => [shape];
function draw(draws: Draws): Problem {
  const shape = Array.from({ length: draws.whole(1, 4) }, () => draws.pick([1, 2, 3, 4, 5, 8]));
  if (draws.chance(0.2)) shape[draws.whole(0, shape.length - 1)] = draws.pick([128, 129, 300]);
  const axes = shape.flatMap((_, axis) => (draws.chance() ? [draws.chance(0.3) ? axis - shape.length : axis] : []));
  return { shape, axes };
}

const meanOver = (problems: Rows): Operation<Problem> => ({
  name: "mean",
  problems,
  draw: (draws) => ({
    shape: [draws.pick([1, 2, 4, 8]), draws.channels(), draws.pick([1, 2, 4])],
    axes: draws.pick([[0], [2], [0, 2], [-1]]),
  }), // powers of two
  shapes,
  run: ({ axes }, [input]) => mean(input!, axes),
  forward: (p, [input]) => reference.mean(p, input!),
  backward: (p, _inputs, gradOutput) => [reference.meanBackward(p, gradOutput)],
  slack: (p) => additions(reference.extentOf(p)) + 2, // and the reciprocal of the extent, and the product with it
});

/** Over powers of two elements, so that the mean is exact too. */
export const meanDyadicOperation: Operation<Problem> = { ...meanOver(DYADIC), name: "mean of powers of two" };
export const meanOperation: Operation<Problem> = { ...meanOver(RAGGED), exact: null, draw };

export const sumOperation: Operation<Problem> = {
  name: "sum",
  problems: [...DYADIC, ...RAGGED],
  draw,
  shapes,
  run: ({ axes }, [input]) => sum(input!, axes),
  forward: (p, [input]) => reference.sum(p, input!),
  backward: (p, _inputs, gradOutput) => [reference.sumBackward(p, gradOutput)],
  slack: (p) => additions(reference.extentOf(p)),
};

const extremum = (name: "max" | "min"): Operation<Problem> => ({
  name,
  problems: [...DYADIC, ...RAGGED],
  draw,
  shapes,
  run: ({ axes }, [input]) => (name === "max" ? max : min)(input!, axes),
  forward: (p, [input]) => reference[name](p, input!),
  backward: (p, [input], gradOutput) => [reference.extremumBackward(p, input!, reference[name](p, input!), gradOutput)],
  slack: () => 6, // of a division
  exact: null, // the share of a tie is a quotient; ties have a test of their own
  magnitudes: (p, _inputs, gradOutput) => {
    const count = reference.count(p.shape);
    return {
      output: new Float64Array(gradOutput.length).fill(1),
      grads: [new Float64Array(count).fill(Math.max(1, ...Array.from(gradOutput, Math.abs)))],
    };
  },
  value: (random) => random() - 2, // below zero throughout, so that a zero in place of an element shows
});

export const maxOperation = extremum("max");
export const minOperation = extremum("min");

/** On integers, many of them equal. */
export const maxPositionsOperation: Operation<{ readonly shape: readonly number[] }> = {
  name: "maxPositions",
  problems: [
    ["one element", { shape: [1] }],
    ["one row", { shape: [7] }],
    ["rows of one element", { shape: [5, 1] }],
    ["rows of several axes, packed otherwise", { shape: [2, 3, 8] }],
    ["more rows than a workgroup has invocations", { shape: [70, 9] }],
    ["a row as long as a feature map", { shape: [2, 784] }],
  ],
  draw: (draws) => ({ shape: [draws.pick([1, 2, 65]), draws.pick([1, 2, 4, 5, 33])] }),
  shapes,
  run: (_p, [input]) => maxPositions(input!),
  forward: ({ shape }, [input]) => reference.maxPositions(shape, input!),
  backward: null,
  value: (random) => Math.floor(9 * random()) - 12,
  slack: () => 0,
  half: 0, // positions are integers
};
