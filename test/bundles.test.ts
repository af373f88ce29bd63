// The one-file bundles compute what the sources compute: their shaders are minified, and described at run time.
import { describe, expect, test } from "vitest";
import * as source from "../src/core.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import { device } from "./harness/device.ts";
import { Draws } from "./harness/draws.ts";

type Core = typeof source;
const bundle = async (name: string): Promise<Core> =>
  (await import(new URL(`../dist/${name}.min.js`, import.meta.url).href)) as Core;

/** Results and gradients of an operation on made-up inputs, on a device of the library's own. */
async function valuesOf(
  core: Core,
  shapes: readonly (readonly number[])[],
  f: (core: Core, ...inputs: Tensor[]) => Tensor,
): Promise<ArrayLike<number>[]> {
  const own = new core.Device(device.gpu, device.adapter);
  const draws = new Draws(7);
  using _scope = own.scope({ awaits: true });
  const inputs = shapes.map((shape) => {
    const values = Float32Array.from({ length: core.countOf(shape) }, () => 2 * draws.unit() - 1);
    return core.requireGrad(core.fromArray(own, shape, values));
  });
  const { results, grads } = core.valueAndGradients(() => {
    const output = f(core, ...inputs);
    return [core.mean(core.multiply(output, output)), output];
  }, inputs);
  const tensors = [...results, ...grads].filter((tensor) => tensor !== null);
  return Promise.all(tensors.map((tensor) => core.toArray(tensor)));
}

const OPERATIONS: readonly [string, number[][], (core: Core, ...inputs: Tensor[]) => Tensor][] = [
  ["conv2d", [[2, 7, 6, 4], [3, 3, 4, 8], [8]], (core, x, w, bias) => core.conv2d(x, w, { padding: 1, bias: bias, activation: "silu" })], // prettier-ignore
  ["depthwiseConv2d", [[1, 8, 8, 4], [3, 3, 4]], (core, x, w) => core.depthwiseConv2d(x, w, { padding: 1, stride: 2 })], // prettier-ignore
  [
    "matmul",
    [
      [5, 6],
      [6, 7],
    ],
    (core, a, b) => core.matmul(a, b),
  ],
  [
    "batchNorm",
    [
      [6, 4],
      [2, 4],
      [2, 4],
    ],
    (core, x, affine, running) => core.batchNorm(x, affine, running),
  ],
  ["layerNorm and softmax", [[3, 8]], (core, x) => core.softmax(core.layerNorm(x))],
  ["gelu", [[3, 5]], (core, x) => core.activation(x, "gelu")],
  [
    "gridSample",
    [
      [1, 4, 5, 3],
      [1, 3, 3, 2],
    ],
    (core, x, grid) => core.gridSample(x, grid),
  ],
  ["resize", [[1, 4, 4, 4]], (core, x) => core.resize(x, [7, 5])],
  ["gaussianBlur", [[1, 6, 6, 3]], (core, x) => core.gaussianBlur(x, { size: 3, sigma: 1 })],
  ["maxPool and averagePool", [[1, 6, 6, 4]], (core, x) => core.averagePool(core.maxPool(x, 2), 3)],
  [
    "cosineSimilarity",
    [
      [4, 8],
      [4, 8],
    ],
    (core, a, b) => core.cosineSimilarity(a, b),
  ],
  ["topKMean", [[3, 40]], (core, x) => core.topKMean(x, 5)],
  ["dropout", [[4, 9]], (core, x) => core.dropout(x, { seed: 3, stream: 0, step: 0 })],
  ["transpose, slice, concat", [[3, 4, 5]], (core, x) => core.concat([core.slice(core.transpose(x, [2, 0, 1]), 1, 2), core.transpose(x, [2, 0, 1])])], // prettier-ignore
  ["gather", [[6, 4]], (core, x) => core.gather(x, core.fromArray(x.device, [3], Uint32Array.of(5, 0, 5)))],
  ["division, minimum", [[3, 4], [4]], (core, a, b) => core.minimum(core.divide(a, core.scalar(a.device, 3)), b)],
];

describe.each(["core", "bigrid"])("dist/%s.min.js", async (name) => {
  const core = await bundle(name);

  test.each(OPERATIONS)("computes %s and its gradients to the bits of the source", async (_, shapes, f) => {
    const values = await valuesOf(core, shapes, f);
    expect(values.length).toBeGreaterThan(2); // the loss, the output, and gradients
    expect(values).toEqual(await valuesOf(source, shapes, f));
  });

  test("exports all that the source of the core exports", () => {
    expect(Object.keys(core)).toEqual(expect.arrayContaining(Object.keys(source)));
  });

  test("says what is wrong with a call, and with a kernel, in the source's words", () => {
    const message = (library: Core, f: (library: Core, device: source.Device) => unknown): string => {
      const own = new library.Device(device.gpu, device.adapter);
      try {
        f(library, own);
      } catch (error) {
        return `${(error as source.BigridError).code}: ${(error as Error).message}`;
      }
      throw new Error("expected an error");
    };
    const wrong = (library: Core, device: source.Device) =>
      library.conv2d(library.empty(device, [1, 8, 8, 3]), library.empty(device, [3, 3, 4, 16]));
    expect(message(core, wrong)).toBe(message(source, wrong));
    const broken = (library: Core) => library.defineKernel("broken", "fn nothing() {}");
    expect(message(core, broken)).toBe(message(source, broken));
  });
});
