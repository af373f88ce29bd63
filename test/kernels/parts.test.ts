import { afterEach, describe, expect, test, vi } from "vitest";
import { activation } from "../../src/ops/activation.ts";
import { conv2d, depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { add } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { gridSample } from "../../src/ops/grid_sample.ts";
import { gaussianBlur } from "../../src/ops/gaussian_blur.ts";
import { pointwiseConv2d } from "../../src/ops/matmul.ts";
import { nearestRows } from "../../src/ops/nearest_rows.ts";
import { averagePool, maxPool } from "../../src/ops/pool.ts";
import { mean } from "../../src/ops/reduce.ts";
import { resize } from "../../src/ops/resize.ts";
import { cosineSimilarity, l2Norm, l2Normalize, layerNorm, softmax } from "../../src/ops/rows.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import type { TracedDispatch } from "../../src/runtime/profiler.ts";
import {
  bytesOf,
  countOf,
  fromArray,
  release,
  requireGrad,
  toArray,
  type Shape,
  type Tensor,
} from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

/** Limits the size of bindings to `bytes`. */
const seeing = (bytes: number): void =>
  void Object.defineProperty(device, "maxBindingBytes", { value: bytes, configurable: true });
afterEach(() => void delete (device as { maxBindingBytes?: unknown }).maxBindingBytes);

/** The output's bits, its dispatches, and their minimum cost. */
async function compute(shapes: readonly Shape[], run: (tensors: readonly Tensor[]) => Tensor) {
  poison();
  using _scope = device.scope({ awaits: true });
  const random = rng(9);
  const tensors = shapes.map((shape) =>
    fromArray(
      device,
      shape,
      Float32Array.from({ length: countOf(shape) }, () => 2 * random() - 1),
    ),
  );
  let output = tensors[0]!;
  const dispatched = await device.trace(() => void (output = run(tensors)));
  const sum = (of: (one: TracedDispatch) => number): number => dispatched.reduce((total, one) => total + of(one), 0);
  return {
    dispatches: dispatched.length,
    bytes: sum(({ bytes }) => bytes),
    operations: sum(({ operations }) => operations),
    bits: new Uint32Array((await toArray(output)).buffer),
  };
}

describe("a tensor larger than a dispatch can see is walked part by part, with equal bits:", () => {
  test.each<readonly [string, readonly Shape[], (tensors: readonly Tensor[]) => Tensor]>([
    ["activation", [[3000]], ([x]) => activation(x!, "hswish")],
    ["activation, ragged", [[3001]], ([x]) => activation(x!, "hswish")],
    [
      "add",
      [
        [7, 300],
        [7, 300],
      ],
      ([a, b]) => add(a!, b!),
    ],
    [
      "conv2d",
      [
        [64, 3, 3, 4],
        [3, 3, 4, 8],
      ],
      ([x, w]) => conv2d(x!, w!, { padding: 1 }),
    ],
    [
      "conv2d, images that do not align",
      [
        [150, 3, 5, 3],
        [2, 2, 3, 3],
      ],
      ([x, w]) => conv2d(x!, w!, { stride: 2 }),
    ],
    [
      "depthwiseConv2d",
      [
        [80, 3, 3, 4],
        [3, 3, 4],
      ],
      ([x, w]) => depthwiseConv2d(x!, w!, { padding: 1 }),
    ],
    ["averagePool", [[100, 4, 4, 4]], ([x]) => averagePool(x!, 2, { stride: 1 })],
    ["maxPool, images that do not align", [[200, 4, 4, 3]], ([x]) => maxPool(x!, 2, { stride: 1 })],
    ["resize", [[128, 4, 4, 4]], ([x]) => resize(x!, [5, 3])],
    ["gaussianBlur", [[128, 4, 4, 4]], ([x]) => gaussianBlur(x!, { size: 3, sigma: 1 })],
    [
      "gridSample",
      [
        [64, 3, 3, 4],
        [64, 2, 3, 2],
      ],
      ([x, grid]) => gridSample(x!, grid!),
    ],
    ["softmax of rows that fill no workgroup", [[333, 4]], ([x]) => softmax(x!)],
    [
      "layerNorm of rows of several lanes",
      [
        [211, 24],
        [2, 24],
      ],
      ([x, affine]) => layerNorm(x!, affine),
    ],
    ["l2Norm, ragged", [[1001, 5]], ([x]) => l2Norm(x!)],
    ["l2Normalize, ragged", [[1001, 3]], ([x]) => l2Normalize(x!)],
    [
      "cosineSimilarity",
      [
        [333, 8],
        [333, 8],
      ],
      ([a, b]) => cosineSimilarity(a!, b!),
    ],
    [
      "nearestRows",
      [
        [1000, 8],
        [70, 8],
      ],
      ([queries, rows]) => nearestRows(queries!, rows!, 2).squaredDistances,
    ],
    [
      "nearestRows, ragged, the indices",
      [
        [1001, 5],
        [70, 5],
      ],
      ([queries, rows]) => nearestRows(queries!, rows!, 1).indices,
    ],
    [
      "pointwiseConv2d",
      [
        [1, 37, 13, 12],
        [12, 8],
      ],
      ([x, w]) => pointwiseConv2d(x!, w!, { activation: "silu" }),
    ],
  ])("%s", async (_name, shapes, run) => {
    const whole = await compute(shapes, run);
    seeing(Math.max(5000, countOf(shapes[0]!) * 2)); // half of it
    const parts = await compute(shapes, run);
    expect(parts.bits).toEqual(whole.bits);
    expect(parts.dispatches).toBeGreaterThan(whole.dispatches);
    expect(parts.bytes).toBeCloseTo(whole.bytes, 3);
    expect(parts.operations).toBeCloseTo(whole.operations, 3);
  });

  test.each<readonly [string, readonly Shape[], (x: Tensor, other: Tensor) => Tensor]>([
    [
      "conv2d",
      [
        [64, 3, 3, 4],
        [3, 3, 4, 4],
      ],
      (x, w) => conv2d(x, w, { padding: 1 }),
    ],
    ["softmax", [[333, 8]], (x) => softmax(x)],
    ["l2Normalize, ragged", [[477, 5]], (x) => l2Normalize(x)],
    ["l2Norm, ragged", [[477, 5]], (x) => l2Norm(x)],
    [
      "layerNorm, rows that fill no workgroup",
      [
        [477, 3],
        [2, 3],
      ],
      (x, affine) => layerNorm(x, affine),
    ],
    [
      "cosineSimilarity, rows that fill no workgroup",
      [
        [477, 3],
        [477, 3],
      ],
      (a, b) => cosineSimilarity(a, b),
    ],
  ])("gradients too: %s", async (_name, shapes, run) => {
    const gradient = () => {
      poison();
      using _scope = device.scope();
      const random = rng(3);
      const [x, other] = shapes.map((shape) =>
        fromArray(
          device,
          shape,
          Float32Array.from({ length: countOf(shape) }, () => random() - 0.5),
        ),
      );
      const input = requireGrad(x!);
      return toArray(valueAndGradients(() => [run(input, other!)], [input]).grads[0]!);
    };
    const whole = await gradient();
    seeing(5000);
    expect(await gradient()).toEqual(whole);
  });
});

test("of storage that lean work shares with a tensor larger than a dispatch can see, a smaller one binds no more than that", async () => {
  const [width, images] = [8, 64];
  const input = fromArray(
    device,
    [images, 1, 1, width],
    Float32Array.from({ length: images * width }, (_, i) => i),
  );
  const work = () => {
    using scope = device.scope();
    const large = resize(input, [6, 1]);
    const small = add(averagePool(large, [6, 1]), input);
    return scope.keep(add(add(small, input), input));
  };
  const limit = bytesOf(input) * 3; // the larger one has twice that
  seeing(limit);
  const bind = vi.spyOn(device.gpu, "createBindGroup");
  const { program, result } = device.capture(work, { lean: true });
  const bound = bind.mock.calls
    .flatMap(([{ entries }]) => [...entries])
    .map(({ resource }) => resource as GPUBufferBinding);
  bind.mockRestore();
  expect(program.memory.shared.some(({ bytes }) => bytes > limit)).toBe(true);
  expect(Math.max(...bound.map(({ buffer, size, offset = 0 }) => size ?? buffer.size - offset))).toBeLessThanOrEqual(
    limit,
  );
  program.run();
  expect(await toArray(result)).toEqual(Float32Array.from({ length: images * width }, (_, i) => 4 * i));
  program.release();
  release(input);
});

describe("a kernel whose work cannot be cut refuses", () => {
  test("a tensor that it must see whole, with what to do", () => {
    using _scope = device.scope();
    const x = fromArray(device, [1, 50, 50, 4], new Float32Array(10_000));
    seeing(5000);
    expect(() => mean(x)).toThrow(ShapeError);
    expect(() => mean(x)).toThrow(
      "reduce: input [1,50,50,4] is larger than the 5000 bytes that a dispatch can see on this device; use a smaller batch",
    );
  });

  test("a single image too large to be a part", () => {
    using _scope = device.scope();
    const [x, w] = [
      fromArray(device, [2, 30, 30, 4], new Float32Array(7200)),
      fromArray(device, [1, 1, 4, 1], new Float32Array(4)),
    ];
    seeing(5000);
    expect(() => conv2d(x, w)).toThrow(
      "conv2d: input [2,30,30,4] is larger than the 5000 bytes that a dispatch can see on this device; use a smaller batch",
    );
  });
});
