import { describe, expect, test } from "vitest";
import { CONV2D_FORMS } from "../../src/kernels/conv2d.ts";
import { convTranspose2d, type ConvTranspose2dOptions } from "../../src/ops/conv_transpose2d.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { boundFault, exactnessFault, withForm } from "../harness/operation.ts";
import { convTranspose2dOperation as operation } from "../operations/conv_transpose2d.ts";

describeOperation(operation);

describe("every form of the convolution computes the same transposed one and its gradients:", () => {
  test.each(CONV2D_FORMS)("%s", async (form) => {
    for (const [why, problem] of operation.problems) {
      expect(await withForm(form, () => exactnessFault(operation, problem, 1)), why).toBeNull();
      expect(await withForm(form, () => boundFault(operation, problem, 2, "f32")), why).toBeNull();
    }
  });
});

test("a batch of 0 images has an empty output, and the weight a gradient of zero", async () => {
  const got = await runEmpty(
    [
      [0, 3, 3, 2],
      [2, 2, 1, 2],
    ],
    ([input, weight]) => convTranspose2d(input!, weight!, { stride: 2 }),
  );
  expect(got).toEqual({ shape: [0, 6, 6, 1], dispatches: 0, grads: [[], Array(8).fill(0)] });
});

describe("convTranspose2d rejects, before any GPU work,", () => {
  const attempt =
    (input: readonly number[], weight: readonly number[], options: ConvTranspose2dOptions = {}) =>
    () =>
      convTranspose2d(empty(device, input), empty(device, weight), options);

  test.each([
    [
      "a 3-D input",
      [4, 4, 3],
      [2, 2, 8, 3],
      "expected input [N,H,W,C] and weight [R,S,K/groups,C], got input [4,4,3] and weight [2,2,8,3]",
    ],
    [
      "a weight for other channels",
      [1, 4, 4, 3],
      [2, 2, 8, 4],
      "expected weight [2,2,8,3], got input [1,4,4,3] and weight [2,2,8,4]",
    ],
    ["an image of nothing", [1, 0, 4, 3], [2, 2, 8, 3], "expected pixels and a window, got input [1,0,4,3]"],
  ])("%s", (_what, input, weight, message) => {
    expect(attempt(input, weight)).toThrow(ShapeError);
    expect(attempt(input, weight)).toThrow(`convTranspose2d: ${message}`);
  });

  test.each<readonly [string, ConvTranspose2dOptions, string]>([
    ["groups that do not divide the channels", { groups: 3 }, "expected groups to divide 4 channels, got 3"],
    ["half a stride", { stride: 0.5 }, "expected stride to be whole numbers of at least 1, got 0.5,0.5"],
    ["negative padding", { padding: [0, -1] }, "expected padding to be whole numbers of at least 0, got 0,-1"],
    [
      "as many added pixels as the stride has",
      { stride: [2, 3], outputPadding: [1, 3] },
      "expected outputPadding below the stride 2,3, got 1,3",
    ],
    ["more padding than pixels", { padding: 3 }, "the output would have -1 x -1 pixels; use less padding"],
  ])("%s", (_what, options, message) => {
    const run = attempt([1, 4, 4, 4], [2, 2, 6, 4], options);
    expect(run).toThrow(OptionError);
    expect(run).toThrow(`convTranspose2d: ${message}`);
  });
});
