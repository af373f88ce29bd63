import { describe, expect, test } from "vitest";
import { activationBackwardInput } from "../../src/kernels/activation.ts";
import { activation, type ActivationName } from "../../src/ops/activation.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { activationOperations } from "../operations/activation.ts";

activationOperations.forEach(describeOperation);

const positiveZero = (x: number): number => x + 0;

function slopesAt(name: ActivationName, points: readonly number[]): Promise<Float32Array> {
  using _scope = device.scope();
  const input = requireGrad(fromArray(device, [points.length], Float32Array.from(points)));
  const { grads } = valueAndGradients(() => [activation(input, name)], [input]);
  return toArray(grads[0]!);
}

function valuesAt(name: ActivationName, points: Float32Array): Promise<Float32Array> {
  using _scope = device.scope();
  return toArray(activation(fromArray(device, [points.length], points), name));
}

describe("at a kink the slope is PyTorch's:", () => {
  test.each([
    ["relu", [0], [0]],
    ["relu6", [0, 6], [0, 0]],
    ["hsigmoid", [-3, 3], [0, 0]],
    ["hswish", [-3, 3], [0, 1]],
  ] as const)("%s", async (name, kinks, slopes) => expect(Array.from(await slopesAt(name, kinks))).toEqual(slopes));
});

describe("far out, where exp overflows, values and slopes are the limits:", () => {
  test.each([
    ["hsigmoid", [0, 1], [0, 0]],
    ["hswish", [0, 200], [0, 1]],
    ["sigmoid", [0, 1], [0, 0]],
    ["silu", [0, 200], [0, 1]],
    ["tanh", [-1, 1], [0, 0]],
  ] as const)("%s", async (name, values, slopes) => {
    const far = Float32Array.of(-200, 200);
    expect(Array.from(await valuesAt(name, far), positiveZero)).toEqual(values);
    expect(Array.from(await slopesAt(name, [...far]), positiveZero)).toEqual(slopes);
  });
});

test("more invocations than one row of workgroups holds are all run", async () => {
  const count = 64 * device.gpu.limits.maxComputeWorkgroupsPerDimension + 65; // odd, so that nothing is packed
  const input = Float32Array.from({ length: count }, (_, i) => (i % 7) - 3);
  const output = await valuesAt("relu", input);
  expect(output.findIndex((y, i) => y !== Math.max(input[i]!, 0))).toBe(-1);
});

test("nothing in, nothing out", async () => {
  expect(await runEmpty([[0, 3, 4]], ([input]) => activation(input!, "hswish"))).toEqual({
    shape: [0, 3, 4],
    dispatches: 0,
    grads: [[]],
  });
});

describe("activation rejects, before any GPU work,", () => {
  test("whole numbers", () => {
    const attempt = () => activation(empty(device, [2, 3], "u32"), "silu");
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("silu: expected input of dtype f32 or f16, it is u32, got input [2,3]");
  });

  test("a gradient of another shape", () => {
    const attempt = () => activationBackwardInput(empty(device, [2, 3]), empty(device, [3, 2]), "relu");
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("relu: expected gradOutput [2,3], got input [2,3] and gradOutput [3,2]");
  });
});
