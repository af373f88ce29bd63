import { describe, expect, test } from "vitest";
import { add, multiply } from "../../src/ops/elementwise.ts";
import { gradients } from "../../src/ops/gradients.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { countOf, empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { runEmpty } from "../empty.ts";
import { describeOperation } from "../describe_operation.ts";
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
  ["a sum over more rows than one pass takes", { a: [20, 15, 4], b: [4] }],
];

// One rounding for the product, and one for each addition of the elements that one element was repeated to: fewer than
// the other operand has.
const slack = ({ a, b }: Problem): number => Math.max(countOf(a), countOf(b));

const plus = { value: (a: number, b: number) => a + b, slopes: () => [1, 1] as const };
const product = { value: (a: number, b: number) => a * b, slopes: (a: number, b: number) => [b, a] as const };

for (const [name, run, f] of [["add", add, plus], ["multiply", multiply, product]] as const) {
  describeOperation<Problem>({
    name,
    problems: PROBLEMS,
    shapes: ({ a, b }) => [a, b],
    run: (_p, [a, b]) => run(a!, b!),
    forward: (p, [a, b]) => reference.forward(p, a!, b!, f.value),
    backward: (p, [a, b], gradOutput) => reference.backward(p, a!, b!, gradOutput, f.slopes),
    slack,
  });
}

test("a tensor times itself has both gradients, added", async () => {
  const read = () => {
    using _scope = device.scope();
    const input = requireGrad(fromArray(device, [3], Float32Array.of(-2, 0.5, 3)));
    return gradients(() => [multiply(input, input)], [input]).grads.map((grad) => toArray(grad!));
  };
  expect(await Promise.all(read())).toEqual([Float32Array.of(-4, 1, 6)]);
});

describe("nothing in, nothing out:", () => {
  test.each([
    ["one shape", [0, 3, 4], [0, 3, 4], [[], []]],
    ["a batch of 0 images and a bias, whose gradient is zero", [0, 3, 4], [4], [[], [0, 0, 0, 0]]],
    ["a batch of 0 images and a gate", [0, 2, 2, 3], [0, 1, 1, 3], [[], []]],
  ])("%s", async (_what, a, b, grads) => {
    for (const run of [add, multiply]) expect(await runEmpty([a, b], ([x, y]) => run(x!, y!))).toEqual({ shape: a, dispatches: 0, grads });
  });
});

describe("add and multiply reject, before any GPU work,", () => {
  const extents = "expected shapes that are equal or 1 along each axis, from the last";
  test.each([
    ["extents that differ", [2, 3], [2, 4], `add: ${extents}, got a [2,3] and b [2,4]`],
    ["axes aligned from the first", [2, 3], [2], `add: ${extents}, got a [2,3] and b [2]`],
    ["nothing against something", [0, 3], [2, 3], `add: ${extents}, got a [0,3] and b [2,3]`],
    ["five axes", [1, 1, 1, 1, 2], [2], "add: expected at most 4 axes, got a [1,1,1,1,2] and b [2]"],
  ])("%s", (_what, a, b, message) => {
    const attempt = (run: typeof add) => () => run(empty(device, a), empty(device, b));
    expect(attempt(add)).toThrow(ShapeError);
    expect(attempt(add)).toThrow(message);
    expect(attempt(multiply)).toThrow(message.replace("add", "multiply"));
  });

  test("whole numbers", () => {
    const attempt = () => add(empty(device, [2]), empty(device, [2], "u32"));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("add: expected b of dtype f32, it is u32, got a [2] and b [2]");
  });
});
