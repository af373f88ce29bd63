import { describe, expect, test } from "vitest";
import { matmul } from "../../src/ops/matmul.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { describeOperation } from "../describe_operation.ts";
import { matmulOperation, pointwiseConv2dOperation } from "../operations/matmul.ts";

describeOperation(matmulOperation);
describeOperation(pointwiseConv2dOperation);

describe("matmul rejects, before any GPU work,", () => {
  test.each([
    ["another batch", [2, 3, 4], [1, 4, 5], "matmul: expected b [2,4,N], got a [2,3,4] and b [1,4,5]"],
    ["another inner extent", [1, 3, 4], [1, 5, 6], "matmul: expected b [1,4,N], got a [1,3,4] and b [1,5,6]"],
    ["a plain matrix", [3, 4], [4, 5], "matmul: expected a [G,M,K] and b [G,K,N], got a [3,4] and b [4,5]"],
  ])("%s", (_what, a, b, message) => {
    const attempt = () => matmul(empty(device, a), empty(device, b));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });
});
