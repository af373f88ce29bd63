import { describe, expect, test } from "vitest";
import { matmul, pointwiseConv2d } from "../../src/ops/matmul.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { describeOperation } from "../describe_operation.ts";
import * as reference from "../reference/matmul.ts";
import type { Problem } from "../reference/matmul.ts";

describeOperation<Problem>({
  name: "matmul",
  problems: [
    ["one by one", { batch: 1, m: 1, n: 1, k: 1 }],
    ["nothing a multiple of anything", { batch: 2, m: 5, n: 7, k: 3 }],
    ["packed, rows that do not fill a tile", { batch: 3, m: 12, n: 8, k: 4 }],
    ["packed operands and a ragged number of rows", { batch: 1, m: 13, n: 12, k: 8 }],
    ["columns packed, summed axis ragged", { batch: 1, m: 8, n: 4, k: 10 }],
    ["a long sum, cut into slices", { batch: 1, m: 4, n: 4, k: 1030 }],
    ["a long sum in the weight gradient, not a multiple of the slices", { batch: 2, m: 777, n: 3, k: 5 }],
  ],
  shapes: ({ batch, m, n, k }) => [[batch, m, k], [batch, k, n], [n]],
  run: (_p, [a, b, bias]) => matmul(a!, b!, { bias: bias! }),
  forward: (p, [a, b, bias]) => reference.forward(p, a!, b!, bias!),
  backward: (p, [a, b], gradOutput) => reference.backward(p, a!, b!, gradOutput),
  slack: ({ batch, m, n, k }) => 2 + Math.max(k, n, batch * m), // one rounding per term of the longest sum
});

describeOperation<{ readonly height: number; readonly inputs: number; readonly outputs: number }>({
  name: "pointwiseConv2d",
  problems: [
    ["GRAD's heads: two outputs", { height: 5, inputs: 12, outputs: 2 }],
    ["packed channels", { height: 6, inputs: 8, outputs: 16 }],
  ],
  shapes: ({ height, inputs, outputs }) => [[2, height, 3, inputs], [inputs, outputs], [outputs]],
  run: (_p, [x, weight, bias]) => pointwiseConv2d(x!, weight!, { bias: bias! }),
  forward: ({ height, inputs, outputs }, [x, weight, bias]) => reference.forward({ batch: 1, m: 6 * height, n: outputs, k: inputs }, x!, weight!, bias!),
  backward: ({ height, inputs, outputs }, [x, weight], gradOutput) =>
    reference.backward({ batch: 1, m: 6 * height, n: outputs, k: inputs }, x!, weight!, gradOutput),
  slack: ({ height, inputs, outputs }) => 2 + Math.max(inputs, outputs, 6 * height),
});

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
