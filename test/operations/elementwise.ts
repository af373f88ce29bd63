import { add, divide, maximum, minimum, multiply, subtract } from "../../src/ops/elementwise.ts";
import { countOf, type Tensor } from "../../src/tensor/tensor.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/elementwise.ts";
import type { Problem } from "../reference/elementwise.ts";

const PROBLEMS: readonly (readonly [why: string, p: Problem])[] = [
  ["one shape, packed", { a: [2, 3, 8], b: [2, 3, 8] }],
  ["one shape, ragged", { a: [3, 5, 7], b: [3, 5, 7] }],
  ["no axes at all", { a: [], b: [] }],
  ["a scalar without axes on the left", { a: [], b: [3, 4] }],
  ["a scalar without axes on the right", { a: [2, 3, 5], b: [] }],
  ["one element repeated along a longer axis", { a: [1], b: [300] }],
  ["a bias, packed", { a: [2, 3, 5, 8], b: [8] }],
  ["a bias, ragged, on the left", { a: [7], b: [2, 3, 5, 7] }],
  ["the gate of squeeze and excitation, packed", { a: [2, 3, 4, 8], b: [2, 1, 1, 8] }],
  ["the gate of squeeze and excitation, ragged", { a: [2, 3, 4, 6], b: [2, 1, 1, 6] }],
  ["the first axis repeated", { a: [1, 3, 4, 8], b: [2, 3, 4, 8] }],
  ["the second axis repeated", { a: [2, 3, 4, 8], b: [2, 1, 4, 8] }],
  ["the third axis repeated", { a: [2, 3, 1, 8], b: [2, 3, 4, 8] }],
  ["the last axis repeated", { a: [2, 3, 4, 8], b: [2, 3, 4, 1] }],
  ["two separate axes repeated", { a: [2, 3, 4, 5], b: [1, 3, 1, 5] }],
  ["each repeated where the other is not", { a: [2, 1, 4, 1], b: [1, 3, 1, 8] }],
  ["an outer product", { a: [5, 1], b: [7] }],
  ["extents of 1 on both sides", { a: [1, 3, 1], b: [3, 1] }],
  ["five axes, of which neighbours repeat alike", { a: [2, 3, 4, 5, 4], b: [1, 1, 4, 1, 4] }],
  ["six axes, the same in both", { a: [2, 1, 3, 2, 2, 3], b: [2, 1, 3, 2, 2, 3] }],
  ["a sum over more rows than one pass takes", { a: [20, 15, 4], b: [4] }],
];

/** Two shapes that broadcast: one lacks leading axes or has some axes of extent 1. */
function draw(draws: Draws): Problem {
  const shape = Array.from({ length: draws.whole(0, 4) }, () => draws.pick([1, 2, 3, 4, 5]));
  if (shape.length > 0) shape[shape.length - 1] = draws.channels();
  const thinned = () =>
    shape.map((extent) => (draws.chance(0.3) ? 1 : extent)).slice(draws.chance(0.2) ? draws.whole(0, shape.length) : 0);
  return draws.chance() ? { a: shape, b: thinned() } : { a: thinned(), b: shape };
}

// One rounding for the value and a few for the slopes, and one for each addition over an element's repetitions: fewer
// than the other operand has elements.
const slack = ({ a, b }: Problem): number => 24 + Math.max(countOf(a), countOf(b));

interface Definition {
  readonly run: (a: Tensor, b: Tensor) => Tensor;
  readonly value: (a: number, b: number) => number;
  readonly slopes: (a: number, b: number) => readonly [number, number];
  /** True if it divides, which WGSL never requires to be exact. */
  readonly inexact?: boolean;
  readonly halves?: number;
}

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  add: { run: add, value: (a, b) => a + b, slopes: () => [1, 1] },
  subtract: { run: subtract, value: (a, b) => a - b, slopes: () => [1, -1], halves: 2 },
  multiply: { run: multiply, value: (a, b) => a * b, slopes: (a, b) => [b, a], halves: 2 },
  divide: { run: divide, value: (a, b) => a / b, slopes: (a, b) => [1 / b, -a / b ** 2], inexact: true, halves: 5 },
  maximum: {
    run: maximum,
    value: Math.max,
    slopes: (a, b) => (a === b ? [0.5, 0.5] : a > b ? [1, 0] : [0, 1]),
    halves: 2,
  },
  minimum: {
    run: minimum,
    value: Math.min,
    slopes: (a, b) => (a === b ? [0.5, 0.5] : a < b ? [1, 0] : [0, 1]),
    halves: 2,
  },
};

const absolute = (values: ArrayLike<number>): Float64Array => Float64Array.from(values, Math.abs);

export const elementwiseOperations: readonly Operation<Problem>[] = Object.entries(DEFINITIONS).map(
  ([name, { run, value, slopes, inexact = false, halves = 1 }]) => ({
    name,
    problems: PROBLEMS,
    draw,
    shapes: ({ a, b }: Problem) => [a, b],
    run: (_p: Problem, [a, b]: readonly Tensor[]) => run(a!, b!),
    forward: (p: Problem, [a, b]: readonly ArrayLike<number>[]) => reference.forward(p, a!, b!, value),
    backward: (p: Problem, [a, b]: readonly ArrayLike<number>[], gradOutput: ArrayLike<number>) =>
      reference.backward(p, a!, b!, gradOutput, slopes),
    slack,
    magnitudes: (p: Problem, [a, b]: readonly ArrayLike<number>[], gradOutput: ArrayLike<number>) => ({
      output: reference.forward(p, absolute(a!), absolute(b!), (x, y) =>
        name === "divide" || name === "multiply" ? value(x, y) : x + y,
      ),
      grads: reference.backward(
        p,
        a!,
        b!,
        absolute(gradOutput),
        (x, y) => slopes(x, y).map(Math.abs) as unknown as readonly [number, number],
      ),
    }),
    value: (random: () => number) => (1 + random()) * (random() < 0.5 ? -1 : 1), // away from zero, and seldom equal
    ...(inexact && { exact: null }),
    half: halves + 1, // sums over repeated axes are stored once more
  }),
);
