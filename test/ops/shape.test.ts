import { describe, expect, test } from "vitest";
import { cast } from "../../src/ops/cast.ts";
import { gather } from "../../src/ops/gather.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { broadcastTo, concat, pad, reshape, slice, transpose } from "../../src/ops/shape.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { countOf, empty, fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import type { AnyOperation } from "../harness/operation.ts";
import {
  broadcastToOperation,
  castOperation,
  concatOperation,
  gatherOperation,
  padOperation,
  reshapeOperation,
  sliceOperation,
  transposeOperation,
} from "../operations/shape.ts";

const OPERATIONS: readonly AnyOperation[] = [
  reshapeOperation,
  sliceOperation,
  padOperation,
  transposeOperation,
  concatOperation,
  broadcastToOperation,
  gatherOperation,
  castOperation,
];
OPERATIONS.forEach(describeOperation);

test("whole numbers are moved bit by bit", async () => {
  using _scope = device.scope({ awaits: true });
  const values = Uint32Array.of(0, 1, 0x7fc00001, 0xffffffff, 0x80000000, 3);
  const x = fromArray(device, [2, 3], values);
  const read = async (tensor: Tensor) =>
    Array.from(new Uint32Array(await device.read(tensor.allocation.buffer, 4 * countOf(tensor.shape))));
  expect(await read(transpose(x, [1, 0]))).toEqual([0, 0xffffffff, 1, 0x80000000, 0x7fc00001, 3]);
  expect(
    await read(
      pad(
        x,
        [
          [0, 0],
          [1, 0],
        ],
        7,
      ),
    ),
  ).toEqual([7, 0, 1, 0x7fc00001, 7, 0xffffffff, 0x80000000, 3]);
  expect(await read(concat([x, x], 0))).toEqual([...values, ...values]);
  expect(await read(slice(x, 1, 2))).toEqual([1, 0x7fc00001, 0x80000000, 3]);
  expect(await read(gather(x, fromArray(device, [2], Uint32Array.of(1, 5))))).toEqual([
    0xffffffff, 0x80000000, 3, 0, 0, 0,
  ]);
  expect(await read(broadcastTo(slice(x, 0, 1), [2, 2]))).toEqual([0, 0, 0xffffffff, 0xffffffff]);
});

test("NaNs and zeros keep their bits", async () => {
  using _scope = device.scope({ awaits: true });
  const bits = Uint32Array.of(0x7fc12345, 0x80000000, 0x00000001, 0xff800000);
  const moved = transpose(fromArray(device, [2, 2], new Float32Array(bits.buffer)), [1, 0]);
  expect(Array.from(new Uint32Array(await device.read(moved.allocation.buffer, 16)))).toEqual([
    0x7fc12345, 0x00000001, 0x80000000, 0xff800000,
  ]);
});

test("cast keeps whole numbers, and cuts towards zero", async () => {
  using _scope = device.scope({ awaits: true });
  const cut = cast(fromArray(device, [4], Float32Array.of(0, 1.9, 16_777_216, 3.5)), "u32");
  expect(Array.from(new Uint32Array(await device.read(cut.allocation.buffer, 16)))).toEqual([0, 1, 16_777_216, 3]);
  expect(await toArray(cast(fromArray(device, [3], Uint32Array.of(0, 7, 4_000_000)), "f32"))).toEqual(
    Float32Array.of(0, 7, 4_000_000),
  );
  const same = fromArray(device, [1], Float32Array.of(1));
  expect(cast(same, "f32")).toBe(same);
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
    const { results, grads } = valueAndGradients(() => [concat([input, input])], [input]);
    return [toArray(results[0]), toArray(grads[0]!)];
  };
  expect(await Promise.all(read())).toEqual([Float32Array.of(1, 1, 2, 2), Float32Array.of(2, 2)]);
});

describe("nothing in, nothing out:", () => {
  test("a batch of 0 images joined", async () => {
    const got = await runEmpty(
      [
        [0, 2, 4],
        [0, 2, 8],
      ],
      (inputs) => concat(inputs),
    );
    expect(got).toEqual({ shape: [0, 2, 12], dispatches: 0, grads: [[], []] });
  });
  test("a batch of 0 images cut", async () => {
    expect(await runEmpty([[0, 2, 8]], ([input]) => slice(input!, 4, 4))).toEqual({
      shape: [0, 2, 4],
      dispatches: 0,
      grads: [[]],
    });
  });
  test("cut to no columns", async () => {
    const got = await runEmpty([[2, 3]], ([input]) => slice(input!, 1, 0));
    expect(got).toEqual({ shape: [2, 0], dispatches: 0, grads: [[0, 0, 0, 0, 0, 0]] });
  });
  test("a batch of 0 images under another shape", async () => {
    expect(await runEmpty([[0, 2, 8]], ([input]) => reshape(input!, [0, 16]))).toEqual({
      shape: [0, 16],
      dispatches: 0,
      grads: [[]],
    });
  });
});

describe("movers reject, before any GPU work,", () => {
  const tensor = (...shape: number[]) => empty(device, shape);
  const whole = (...shape: number[]) => empty(device, shape, "u32");
  test.each<readonly [string, () => unknown, typeof ShapeError | typeof OptionError, string]>([
    [
      "another number of elements",
      () => reshape(tensor(2, 3), [4]),
      ShapeError,
      "reshape: [2,3] has 6 elements, [4] 4",
    ],
    ["no inputs", () => concat([]), ShapeError, "concat: expected at least one input"],
    [
      "other leading axes",
      () => concat([tensor(2, 3), tensor(3, 3)]),
      ShapeError,
      "concat: expected equal shapes except along axis 1, got input 0 [2,3] and input 1 [3,3]",
    ],
    [
      "other ranks",
      () => concat([tensor(2, 3), tensor(3)]),
      ShapeError,
      "concat: expected equal shapes except along axis 1, got input 0 [2,3] and input 1 [3]",
    ],
    [
      "inputs without axes",
      () => concat([tensor(), tensor()]),
      OptionError,
      "concat: expected an axis of [], from 0 to -1, got -1",
    ],
    [
      "mixed dtypes",
      () => concat([tensor(2), whole(2)]),
      ShapeError,
      "concat: expected one dtype, input 0 is f32 and input 1 u32, got input 0 [2] and input 1 [2]",
    ],
    [
      "an axis too many",
      () => slice(tensor(2, 3), 0, 1, 2),
      OptionError,
      "slice: expected an axis of [2,3], from -2 to 1, got 2",
    ],
    [
      "a part beyond the end",
      () => slice(tensor(2, 3), 1, 3),
      OptionError,
      "slice: expected whole numbers within [0,3) of axis 1 of [2,3], asked for [1,4)",
    ],
    [
      "half a column",
      () => slice(tensor(2, 3), 0.5, 1),
      OptionError,
      "slice: expected whole numbers within [0,3) of axis 1 of [2,3], asked for [0.5,1.5)",
    ],
    [
      "too few amounts",
      () => pad(tensor(2, 3), [[1, 1]]),
      OptionError,
      "pad: expected a pair of amounts for each axis of [2,3], got 1",
    ],
    [
      "negative amounts",
      () => pad(tensor(2), [[-1, 1]]),
      OptionError,
      "pad: expected amounts to be whole numbers of at least 0, got -1,1",
    ],
    ["a value that is no u32", () => pad(whole(2), [[1, 1]], 0.5), OptionError, "pad: expected a u32 value, got 0.5"],
    [
      "an order of other axes",
      () => transpose(tensor(2, 3), [0, 2]),
      OptionError,
      "transpose: expected each axis of [2,3] once, got 0,2",
    ],
    [
      "an axis twice",
      () => transpose(tensor(2, 3), [1, 1]),
      OptionError,
      "transpose: expected each axis of [2,3] once, got 1,1",
    ],
    [
      "an axis twice, once from the end",
      () => transpose(tensor(2, 3), [1, -1]),
      OptionError,
      "transpose: expected each axis of [2,3] once, got 1,-1",
    ],
    [
      "what does not broadcast",
      () => broadcastTo(tensor(2, 3), [3, 3]),
      ShapeError,
      "broadcastTo: expected a shape that broadcasts to [3,3], got input [2,3]",
    ],
    [
      "fewer axes",
      () => broadcastTo(tensor(1, 3), [3]),
      ShapeError,
      "broadcastTo: expected a shape that broadcasts to [3], got input [1,3]",
    ],
    [
      "indices that are no whole numbers",
      () => gather(tensor(2), tensor(1)),
      ShapeError,
      "gather: expected indices of dtype u32, it is f32, got indices [1]",
    ],
    [
      "indices of another rank",
      () => gather(tensor(2), whole(1, 1)),
      ShapeError,
      "gather: expected indices [K], got input [2] and indices [1,1]",
    ],
    [
      "no such axis to pick from",
      () => gather(tensor(2), whole(1), 1),
      OptionError,
      "gather: expected an axis of [2], from -1 to 0, got 1",
    ],
    [
      "no such dtype",
      () => cast(tensor(1), "f64" as "f32"),
      OptionError,
      "cast: expected a dtype of f32, f16, u32, got f64",
    ],
    [
      "more axes than a dispatch walks",
      () => transpose(tensor(2, 2, 2, 2, 2, 2, 2), [6, 5, 4, 3, 2, 1, 0]),
      ShapeError,
      "transpose: expected at most 6 axes that cannot be merged, there are 7, got input [2,2,2,2,2,2,2]",
    ],
  ])("%s", (_what, attempt, type, message) => {
    expect(attempt).toThrow(type);
    expect(attempt).toThrow(message);
  });
});
