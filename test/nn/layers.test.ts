import { describe, expect, test } from "vitest";
import {
  activate,
  conv3x3,
  depthwise3x3,
  norm,
  pointwise,
  sequence,
  within,
  type Layer,
  type LayerContext,
} from "../../src/nn/layers.ts";
import { Weights } from "../../src/nn/weights.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { countOf, fromArray, toArray, type Shape } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const INPUT: Shape = [2, 5, 6, 8];

/** A layer whose weights are all different, and an image for it. */
function made(make: (context: LayerContext) => Layer) {
  const weights = Weights.drawn(device);
  const random = new RandomStream(3, 4);
  const layer = make({ weights, prefix: "net", random });
  for (const [name, { shape, allocation }] of weights.all()) {
    const values = random.normals(countOf(shape), 0.3);
    const scales = name.endsWith(".affine") || name.endsWith(".running"); // [weight, bias] and [mean, variance]
    device.write(
      allocation.buffer,
      scales
        ? values.map((x, i) =>
            Math.floor((2 * i) / values.length) === Number(name.endsWith(".running")) ? 1 + Math.abs(x) : x,
          )
        : values,
    );
  }
  return { weights, layer, input: fromArray(device, INPUT, random.normals(countOf(INPUT), 1)) };
}

describe("once the weights are frozen, one kernel does in inference what several did:", () => {
  test.each<readonly [string, (context: LayerContext) => Layer]>([
    [
      "pointwise, norm, activation",
      (at) => sequence(pointwise(within(at, "a"), 8, 12, false), norm(within(at, "b"), 12), activate("hswish")),
    ],
    ["pointwise, norm", (at) => sequence(pointwise(within(at, "a"), 8, 3, false), norm(within(at, "b"), 3))],
    [
      "3x3, norm, activation",
      (at) => sequence(conv3x3(within(at, "a"), 8, 4), norm(within(at, "b"), 4), activate("relu")),
    ],
    [
      "depthwise, norm, activation",
      (at) => sequence(depthwise3x3(within(at, "a"), 8), norm(within(at, "b"), 8), activate("silu")),
    ],
  ])("%s", async (_name, make) => {
    using _scope = device.scope({ awaits: true });
    const { weights, layer, input } = made(make);
    const expected = await toArray(layer(input, "inference"));
    weights.freeze();
    let output = input;
    expect(await device.trace(() => void (output = layer(input, "inference")))).toHaveLength(1);
    const actual = await toArray(output);
    expect(actual.length).toBe(expected.length);
    actual.forEach((x, i) => expect(Math.abs(x - expected[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(expected[i]!))));
  });
});

test("frozen weights are trained no more, keep the tensors that files hold, and give all storage back", async () => {
  const before = device.memory().allocations;
  const { weights, layer, input } = made((at) =>
    sequence(pointwise(within(at, "a"), 8, 12, false), norm(within(at, "b"), 12)),
  );
  const names = [...weights.all().keys()];
  const stored = await toArray(weights.all().get("net.a.weight")!);
  weights.freeze();
  weights.freeze();
  expect([...weights.all().keys()]).toEqual(names);
  expect(await toArray(weights.all().get("net.a.weight")!)).toEqual(stored);
  {
    using _scope = device.scope();
    expect(() => layer(input, "training")).toThrow("net.b: the weights are frozen and can no longer be trained");
  }
  weights.release();
  device.release(input.allocation);
  expect(device.memory().allocations).toBe(before);
});
