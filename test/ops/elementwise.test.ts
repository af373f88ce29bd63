import { describe, expect, test } from "vitest";
import { add, divide, maximum, minimum, multiply, subtract } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { elementwiseOperations } from "../operations/elementwise.ts";

elementwiseOperations.forEach(describeOperation);

test("a tensor times itself has both gradients, added", async () => {
  const read = () => {
    using _scope = device.scope();
    const input = requireGrad(fromArray(device, [3], Float32Array.of(-2, 0.5, 3)));
    return valueAndGradients(() => [multiply(input, input)], [input]).grads.map((grad) => toArray(grad!));
  };
  expect(await Promise.all(read())).toEqual([Float32Array.of(-4, 1, 6)]);
});

test("gradients give back what they were made of: a longer chain takes its outputs' memory more, and no other", () => {
  Object.values({ add, subtract, multiply, divide, maximum, minimum }).forEach((run, nth) => {
    // A different size each time, so that no buffer of another run can be reused.
    const made = (links: number): number => {
      using _scope = device.scope();
      const numbers = new Float32Array(100_003 + 256 * (10 * nth + links)).fill(1.5);
      const [a, b] = [numbers, numbers].map((data) => requireGrad(fromArray(device, [data.length], data))) as [
        Tensor,
        Tensor,
      ];
      const before = device.memory().buffersCreated;
      valueAndGradients(() => [Array.from({ length: links }).reduce<Tensor>((y) => run(y, b), a)], [a, b]);
      return device.memory().buffersCreated - before;
    };
    expect(made(7) - made(3)).toBe(4);
  });
});

describe("nothing in, nothing out:", () => {
  test.each([
    ["one shape", [0, 3, 4], [0, 3, 4], [[], []]],
    ["a batch of 0 images and a bias, whose gradient is zero", [0, 3, 4], [4], [[], [0, 0, 0, 0]]],
    ["a batch of 0 images and a gate", [0, 2, 2, 3], [0, 1, 1, 3], [[], []]],
  ])("%s", async (_what, a, b, grads) => {
    for (const run of [add, multiply])
      expect(await runEmpty([a, b], ([x, y]) => run(x!, y!))).toEqual({ shape: a, dispatches: 0, grads });
  });
});

describe("add and multiply reject, before any GPU work,", () => {
  const extents = "expected shapes that are equal or 1 along each axis, from the last";
  test.each([
    ["extents that differ", [2, 3], [2, 4], `add: ${extents}, got a [2,3] and b [2,4]`],
    ["axes aligned from the first", [2, 3], [2], `add: ${extents}, got a [2,3] and b [2]`],
    ["nothing against something", [0, 3], [2, 3], `add: ${extents}, got a [0,3] and b [2,3]`],
    [
      "five runs of axes that broadcast alike",
      [2, 1, 2, 1, 2],
      [1, 2, 1, 2, 1],
      "add: expected at most 4 runs of axes that broadcast alike, there are 5, got a [2,1,2,1,2] and b [1,2,1,2,1]",
    ],
  ])("%s", (_what, a, b, message) => {
    const attempt = (run: typeof add) => () => run(empty(device, a), empty(device, b));
    expect(attempt(add)).toThrow(ShapeError);
    expect(attempt(add)).toThrow(message);
    expect(attempt(multiply)).toThrow(message.replace("add", "multiply"));
  });

  test("whole numbers", () => {
    const attempt = () => add(empty(device, [2]), empty(device, [2], "u32"));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("add: expected b of dtype f32 or f16, it is u32, got a [2] and b [2]");
  });
});
