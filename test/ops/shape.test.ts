import { describe, expect, test } from "vitest";
import { gradients } from "../../src/ops/gradients.ts";
import { concat, reshape, slice } from "../../src/ops/shape.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { countOf, empty, fromArray, requireGrad, toArray, type Shape } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { runEmpty } from "../empty.ts";
import { describeOperation } from "../describe_operation.ts";
import * as reference from "../reference/shape.ts";

// Nothing is computed here, so there is nothing to round.
const slack = (): number => 0;

describeOperation<{ readonly from: Shape; readonly to: Shape }>({
  name: "reshape",
  problems: [
    ["axes joined", { from: [2, 3, 4], to: [6, 4] }],
    ["axes split", { from: [12], to: [3, 1, 4] }],
    ["one element loses its axes", { from: [1, 1], to: [] }],
  ],
  shapes: ({ from }) => [from],
  run: ({ to }, [input]) => reshape(input!, to),
  forward: (_p, [input]) => input!,
  backward: (_p, _inputs, gradOutput) => [gradOutput],
  slack,
});

describeOperation<{ readonly leading: Shape; readonly widths: readonly number[] }>({
  name: "concat",
  problems: [
    ["one input", { leading: [3], widths: [5] }],
    ["two, packed", { leading: [2, 3], widths: [4, 8] }],
    ["two, ragged", { leading: [5], widths: [3, 2] }],
    ["two ragged that make a packed one", { leading: [2, 2, 3], widths: [3, 5] }],
    ["a packed one, then a ragged one", { leading: [4], widths: [8, 3] }],
    ["a packed one at a ragged offset", { leading: [4], widths: [3, 8, 1] }],
    ["three, packed, four axes", { leading: [2, 2, 3], widths: [4, 12, 8] }],
    ["three, ragged", { leading: [7], widths: [1, 6, 2] }],
    ["no leading axes", { leading: [], widths: [3, 4] }],
    ["one of no width", { leading: [3], widths: [2, 0, 3] }],
  ],
  shapes: ({ leading, widths }) => widths.map((width) => [...leading, width]),
  run: (_p, inputs) => concat(inputs),
  forward: ({ leading, widths }, inputs) => reference.concat(countOf(leading), widths, inputs),
  backward: ({ leading, widths }, _inputs, gradOutput) => {
    const width = widths.reduce((sum, columns) => sum + columns, 0);
    return widths.map((columns, i) => {
      const offset = widths.slice(0, i).reduce((sum, before) => sum + before, 0);
      return reference.slice(countOf(leading), width, offset, columns, gradOutput);
    });
  },
  slack,
});

describeOperation<{ readonly leading: Shape; readonly width: number; readonly offset: number; readonly columns: number }>({
  name: "slice",
  problems: [
    ["everything", { leading: [3], width: 6, offset: 0, columns: 6 }],
    ["the first columns, packed", { leading: [2, 3], width: 12, offset: 0, columns: 8 }],
    ["the last columns, packed", { leading: [2, 3], width: 12, offset: 8, columns: 4 }],
    ["the middle, packed", { leading: [5], width: 16, offset: 4, columns: 8 }],
    ["packed columns at a ragged offset", { leading: [5], width: 16, offset: 3, columns: 8 }],
    ["ragged columns at a packed offset", { leading: [5], width: 16, offset: 4, columns: 7 }],
    ["packed columns of a ragged width", { leading: [5], width: 11, offset: 4, columns: 4 }],
    ["one column of many axes", { leading: [2, 3, 2], width: 5, offset: 4, columns: 1 }],
    ["no leading axes", { leading: [], width: 9, offset: 2, columns: 3 }],
  ],
  shapes: ({ leading, width }) => [[...leading, width]],
  run: ({ offset, columns }, [input]) => slice(input!, offset, columns),
  forward: ({ leading, width, offset, columns }, [input]) => reference.slice(countOf(leading), width, offset, columns, input!),
  backward: ({ leading, width, offset, columns }, _inputs, gradOutput) =>
    [reference.sliceBackward(countOf(leading), width, offset, columns, gradOutput)],
  slack,
});

test("reshape copies nothing", () => {
  using _scope = device.scope();
  const input = fromArray(device, [2, 3], new Float32Array(6));
  const { dispatches } = device.counters();
  expect(reshape(input, [3, 2]).allocation).toBe(input.allocation);
  expect(device.counters().dispatches).toBe(dispatches);
});

test("one tensor joined to itself has the gradients of both places, added", async () => {
  const read = () => {
    using _scope = device.scope();
    const input = requireGrad(fromArray(device, [2, 1], Float32Array.of(1, 2)));
    const { results, grads } = gradients(() => [concat([input, input])], [input]);
    return [toArray(results[0]!), toArray(grads[0]!)];
  };
  expect(await Promise.all(read())).toEqual([Float32Array.of(1, 1, 2, 2), Float32Array.of(2, 2)]);
});

describe("nothing in, nothing out:", () => {
  test("a batch of 0 images joined", async () => {
    const got = await runEmpty([[0, 2, 4], [0, 2, 8]], (inputs) => concat(inputs));
    expect(got).toEqual({ shape: [0, 2, 12], dispatches: 0, grads: [[], []] });
  });
  test("a batch of 0 images cut", async () => {
    expect(await runEmpty([[0, 2, 8]], ([input]) => slice(input!, 4, 4))).toEqual({ shape: [0, 2, 4], dispatches: 0, grads: [[]] });
  });
  test("cut to no columns", async () => {
    const got = await runEmpty([[2, 3]], ([input]) => slice(input!, 1, 0));
    expect(got).toEqual({ shape: [2, 0], dispatches: 0, grads: [[0, 0, 0, 0, 0, 0]] });
  });
  test("a batch of 0 images under another shape", async () => {
    expect(await runEmpty([[0, 2, 8]], ([input]) => reshape(input!, [0, 16]))).toEqual({ shape: [0, 16], dispatches: 0, grads: [[]] });
  });
});

describe("reshape, concat and slice reject, before any GPU work,", () => {
  const tensor = (...shape: number[]) => empty(device, shape);
  test.each([
    ["another number of elements", () => reshape(tensor(2, 3), [4]), "reshape: [2,3] has 6 elements, [4] 4"],
    ["no inputs", () => concat([]), "concat: expected at least one input"],
    [
      "other leading axes", () => concat([tensor(2, 3), tensor(3, 3)]),
      "concat: expected equal shapes but for the last axis, got input 0 [2,3] and input 1 [3,3]",
    ],
    [
      "other ranks", () => concat([tensor(2, 3), tensor(3)]),
      "concat: expected equal shapes but for the last axis, got input 0 [2,3] and input 1 [3]",
    ],
    ["inputs without axes", () => concat([tensor(), tensor()]), "concat: expected at least one axis, got input 0 [] and input 1 []"],
    [
      "whole numbers", () => concat([tensor(2), empty(device, [2], "u32")]),
      "concat: expected input 1 of dtype f32, it is u32, got input 0 [2] and input 1 [2]",
    ],
    ["columns beyond the last", () => slice(tensor(2, 5), 3, 3), "slice: expected columns within [0,5), asked for [3,6), got input [2,5]"],
    [
      "columns before the first", () => slice(tensor(2, 5), -1, 3),
      "slice: expected columns within [0,5), asked for [-1,2), got input [2,5]",
    ],
    ["fewer columns than none", () => slice(tensor(2, 5), 2, -1), "slice: expected columns within [0,5), asked for [2,1), got input [2,5]"],
    ["an input without columns to take", () => slice(tensor(), 0, 0), "slice: expected at least one axis, got input []"],
    [
      "an offset that is no number", () => slice(tensor(2, 5), Number.NaN, 1),
      "slice: expected columns within [0,5), asked for [NaN,NaN), got input [2,5]",
    ],
  ])("%s", (_what, attempt, message) => {
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });
});
