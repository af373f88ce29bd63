import { describe, expect, test } from "vitest";
import type { Activation } from "../../src/kernels/activation.ts";
import { conv2d, depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { matmul, pointwiseConv2d } from "../../src/ops/matmul.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { epilogueOperations } from "../operations/epilogue.ts";

epilogueOperations.forEach(describeOperation);

const input = (values: readonly number[]) => fromArray(device, [1, 1, 1, values.length], Float32Array.from(values));

describe("an activation in the options", () => {
  test("is done within the kernel without a tape, and by a kernel of its own with one", () => {
    using _scope = device.scope();
    const [x, weight] = [input([1, -2]), fromArray(device, [2, 2], Float32Array.of(1, 0, 0, 1))];
    const dispatchesOf = (run: () => unknown) => {
      const before = device.counters().dispatches;
      run();
      return device.counters().dispatches - before;
    };
    const plain = dispatchesOf(() => pointwiseConv2d(x, weight));
    expect(dispatchesOf(() => pointwiseConv2d(x, weight, { activation: "relu" }))).toBe(plain);
    const wanted = requireGrad(x);
    const withTape = (activation: Activation | null) =>
      dispatchesOf(() => valueAndGradients(() => [pointwiseConv2d(wanted, weight, { activation })], [wanted]));
    expect(withTape("relu")).toBe(withTape(null) + 2);
  });

  test("is the same with a gradient and without", async () => {
    using _scope = device.scope({ awaits: true });
    const x = requireGrad(input([1, -2, 3, -4]));
    const weight = fromArray(device, [1, 1, 4], Float32Array.of(1, 1, 2, 2));
    const bias = fromArray(device, [4], Float32Array.of(0.5, 0.5, 0, 9));
    const run = () => depthwiseConv2d(x, weight, { bias, activation: { name: "leakyRelu", slope: 0.5 } });
    const { results, grads } = valueAndGradients(() => [run()], [x]);
    expect(await toArray(run())).toEqual(Float32Array.of(1.5, -0.75, 6, 1));
    expect(await toArray(results[0])).toEqual(Float32Array.of(1.5, -0.75, 6, 1));
    expect(await toArray(grads[0]!)).toEqual(Float32Array.of(1, 0.5, 2, 2));
  });
});

describe("an epilogue is rejected, before any GPU work:", () => {
  const x = () => empty(device, [1, 2, 2, 4]);
  const bias = () => empty(device, [3]);
  test.each<readonly [string, () => unknown, string]>([
    [
      "conv2d",
      () => conv2d(x(), empty(device, [1, 1, 4, 5]), { bias: bias() }),
      "conv2d: expected bias [5], got input [1,2,2,4] and weight [1,1,4,5] and bias [3]",
    ],
    [
      "depthwiseConv2d",
      () => depthwiseConv2d(x(), empty(device, [1, 1, 4]), { bias: bias() }),
      "depthwiseConv2d: expected bias [4], got input [1,2,2,4] and weight [1,1,4] and bias [3]",
    ],
    [
      "pointwiseConv2d",
      () => pointwiseConv2d(x(), empty(device, [4, 5]), { bias: bias() }),
      "pointwiseConv2d: expected bias [5], got input [1,2,2,4] and weight [4,5] and bias [3]",
    ],
    [
      "matmul",
      () => matmul(empty(device, [1, 2, 4]), empty(device, [1, 4, 5]), { bias: bias() }),
      "matmul: expected bias [5], got a [1,2,4] and b [1,4,5] and bias [3]",
    ],
  ])("a bias for other channels, of %s", (_op, attempt, message) => {
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))("another dtype of the bias", () => {
    const attempt = () => conv2d(x(), empty(device, [1, 1, 4, 3]), { bias: empty(device, [3], "f16") });
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(
      "conv2d: expected one dtype, input is f32 and bias f16; cast one of them, got input [1,2,2,4] and weight [1,1,4,3] and bias [3]",
    );
  });

  const NAMES = "relu, relu6, leakyRelu, hsigmoid, hswish, sigmoid, silu, tanh, gelu, sqrt, exp, log, abs, square";
  test.each<readonly [string, Activation, string]>([
    ["a name that there is not", "swish" as "silu", `conv2d: expected an activation of ${NAMES}, got swish`],
    [
      "a slope that is no number",
      { name: "leakyRelu", slope: Number.NaN },
      "conv2d: expected a finite slope for leakyRelu alone, got NaN for leakyRelu",
    ],
    [
      "a slope of another activation",
      { name: "relu" as "leakyRelu", slope: 1 },
      "conv2d: expected a finite slope for leakyRelu alone, got 1 for relu",
    ],
  ])("%s", (_why, activation, message) => {
    const attempt = () => conv2d(x(), empty(device, [1, 1, 4, 3]), { activation });
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(message);
  });

  test.each<readonly [string, () => unknown, string]>([
    ["conv2d", () => conv2d(x(), x(), { strides: 2 } as object), "stride, padding, dilation, groups, bias, activation"],
    [
      "depthwiseConv2d",
      () => depthwiseConv2d(x(), x(), { strides: 2 } as object),
      "stride, padding, dilation, bias, activation",
    ],
    ["matmul", () => matmul(x(), x(), { strides: 2 } as object), "transposeA, transposeB, bias, activation"],
    ["pointwiseConv2d", () => pointwiseConv2d(x(), x(), { strides: 2 } as object), "bias, activation"],
  ])("an option that %s does not know", (op, attempt, options) => {
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(`${op}: unknown option strides; it takes ${options}`);
  });
});
