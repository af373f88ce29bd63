import { expect, test } from "vitest";
import { hsigmoid, relu } from "../../src/ops/activation.ts";
import { multiply } from "../../src/ops/elementwise.ts";
import { pointwiseConv2d } from "../../src/ops/matmul.ts";
import { mean } from "../../src/ops/reduce.ts";
import { squeezeExcitation } from "../../src/ops/squeeze_excitation.ts";
import { empty, fromArray, toArray, type Shape } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { squeezeExcitationOperation } from "../operations/squeeze_excitation.ts";

describeOperation(squeezeExcitationOperation);

test("squeezeExcitation takes other activations, and layers without bias", async () => {
  const random = rng(5);
  using _scope = device.scope({ awaits: true });
  const tensor = (shape: Shape) =>
    fromArray(
      device,
      shape,
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => 2 * random() - 1),
    );
  const [input, down, up] = [tensor([2, 3, 3, 8]), tensor([8, 2]), tensor([2, 8])];
  const got = squeezeExcitation(input, { weight: down }, { weight: up }, { activation: "relu", gate: "hsigmoid" });
  const want = multiply(input, hsigmoid(pointwiseConv2d(relu(pointwiseConv2d(mean(input, [1, 2]), down)), up)));
  expect(await toArray(got)).toEqual(await toArray(want));
});

test("squeezeExcitation rejects images of another rank, other shapes and options it does not know", () => {
  const layers = [{ weight: empty(device, [8, 2]) }, { weight: empty(device, [2, 8]) }] as const;
  expect(() => squeezeExcitation(empty(device, [3, 8]), ...layers)).toThrow(
    "squeezeExcitation: expected input [N,H,W,C], got input [3,8]",
  );
  expect(() => squeezeExcitation(empty(device, [1, 2, 2, 6]), ...layers)).toThrow(
    "pointwiseConv2d: expected weight [6,K], got input [1,1,1,6] and weight [8,2]",
  );
  expect(() => squeezeExcitation(empty(device, [1, 2, 2, 8]), ...layers, { gates: "relu" } as object)).toThrow(
    "squeezeExcitation: unknown option gates; it takes activation, gate",
  );
});
