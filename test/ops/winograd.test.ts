import { afterEach, describe, expect, test } from "vitest";
import { idleGpuOf } from "../../bench/training/bounds.ts";
import {
  conv2dBackwardInput,
  conv2dBackwardWeight,
  conv2dForward,
  type Conv2dOptions,
} from "../../src/kernels/conv2d.ts";
import { WINOGRAD } from "../../src/kernels/winograd.ts";
import { UnsupportedError } from "../../src/runtime/errors.ts";
import { countOf, empty, fromArray, toArray, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { EPS_F32, rng } from "../harness/bounds.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { roundingsOf, winogradOperation, winogradWithActivation } from "../operations/winograd.ts";
import * as reference from "../reference/conv2d.ts";
import { magnitudesOf } from "../reference/winograd.ts";

describeOperation(winogradOperation);
describeOperation(winogradWithActivation);

const PADDED = { padding: 1 } as const;

afterEach(() => void delete (device as { maxBindingBytes?: unknown }).maxBindingBytes);

/** Normal numbers (Box and Muller). */
function normals(count: number, std: number, seed: number): Float32Array {
  const random = rng(seed);
  return Float32Array.from(
    { length: count },
    () => std * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

describe("a layer of the basic decoder, of 544 channels,", () => {
  const [SIDE, CHANNELS] = [28, 544];
  const [TILES, FILTERS] = [
    [0, 13, 97, 190, 195],
    [0, 270, 543],
  ]; // that are compared
  const image = normals(SIDE * SIDE * CHANNELS, 1, 1).map((x) => Math.max(x, 0)); // behind a norm and relu
  const weight = normals(9 * CHANNELS * CHANNELS, Math.sqrt(2 / (9 * CHANNELS)), 2);

  /** The tile's outputs by definition, and their scale, from the 4 x 4 pixels that it sees. */
  function definedTile(y: number, x: number, k: number) {
    const p: reference.Problem = {
      batch: 1,
      height: 4,
      width: 4,
      channels: CHANNELS,
      filters: 1,
      groups: 1,
      window: [3, 3],
      stride: [1, 1],
      dilation: [1, 1],
      padding: [0, 0, 0, 0],
    };
    const pixels = Float32Array.from({ length: 16 * CHANNELS }, (_, at) => {
      const [h, w] = [Math.floor(at / CHANNELS / 4) + y - 1, (Math.floor(at / CHANNELS) % 4) + x - 1];
      return h < 0 || h >= SIDE || w < 0 || w >= SIDE ? 0 : image[(h * SIDE + w) * CHANNELS + (at % CHANNELS)]!;
    });
    const filter = Float32Array.from({ length: 9 * CHANNELS }, (_, at) => weight[at * CHANNELS + k]!);
    return {
      values: reference.forward(p, pixels, filter),
      scales: magnitudesOf(p, pixels, filter),
    };
  }

  test("has errors within the bound that is stated, most of them far below", async () => {
    using _scope = device.scope({ awaits: true });
    const [input, filters] = [
      fromArray(device, [1, SIDE, SIDE, CHANNELS], image),
      fromArray(device, [3, 3, CHANNELS, CHANNELS], weight),
    ];
    const output = await toArray(conv2dForward(input, filters, {}, PADDED, WINOGRAD));
    let [worst, errors, squares] = [0, 0, 0];
    for (const tile of TILES) {
      const [y, x] = [2 * Math.floor(tile / (SIDE / 2)), 2 * (tile % (SIDE / 2))];
      for (const k of FILTERS) {
        const { values, scales } = definedTile(y, x, k);
        values.forEach((value, i) => {
          const at = ((y + Math.floor(i / 2)) * SIDE + x + (i % 2)) * CHANNELS + k;
          const error = Math.abs(output[at]! - value);
          worst = Math.max(worst, error / scales[i]!);
          errors += error ** 2;
          squares += value ** 2;
        });
      }
    }
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(roundingsOf(CHANNELS) * EPS_F32);
    expect(Math.sqrt(errors / squares)).toBeLessThan(2 ** -20);
  });
});

describe("terms of more bytes than a dispatch can see", () => {
  const [SHAPE, WEIGHT]: Shape[] = [
    [5, 7, 5, 8],
    [3, 3, 8, 12],
  ] as const;
  const TERMS_OF_IMAGE = 4 * 16 * 12 * 12; // 4 x 3 tiles of 12 filters

  const compute = async (run: (x: Tensor, w: Tensor, g: Tensor) => Tensor) => {
    poison();
    using _scope = device.scope({ awaits: true });
    const tensors = [SHAPE, WEIGHT, [5, 7, 5, 12]].map((shape, i) =>
      fromArray(device, shape, normals(countOf(shape), 1, 3 + i)),
    ) as [Tensor, Tensor, Tensor];
    const before = device.memory().allocations;
    let output = tensors[0];
    const dispatched = await device.trace(() => void (output = run(...tensors)));
    expect(device.memory().allocations).toBe(before + 1); // its workspace is given back
    const { bytes, operations } = dispatched.reduce((sum, one) => ({
      ...sum,
      bytes: sum.bytes + one.bytes,
      operations: sum.operations + one.operations,
    }));
    return { dispatches: dispatched.length, bytes, operations, numbers: await toArray(output) };
  };

  test.each([
    [4, 7],
    [2, 10],
    [1, 16],
  ])("of %i images at most are computed by groups, with equal bits", async (images, dispatches) => {
    for (const run of [
      (x: Tensor, w: Tensor) => conv2dForward(x, w, {}, PADDED, WINOGRAD),
      (x: Tensor, w: Tensor, g: Tensor) => conv2dBackwardInput(x, w, g, PADDED, WINOGRAD),
    ]) {
      const whole = await compute(run);
      expect(whole.dispatches).toBe(4);
      Object.defineProperty(device, "maxBindingBytes", { value: images * TERMS_OF_IMAGE, configurable: true });
      const parts = await compute(run);
      delete (device as { maxBindingBytes?: unknown }).maxBindingBytes;
      expect(parts.numbers).toEqual(whole.numbers);
      expect(parts.dispatches).toBe(dispatches);
      expect(parts.operations).toBeCloseTo(whole.operations, 3);
      expect(parts.bytes).toBeGreaterThanOrEqual(whole.bytes); // the weight's terms once a group
    }
  });

  test("of one image are refused", () => {
    Object.defineProperty(device, "maxBindingBytes", { value: TERMS_OF_IMAGE - 4, configurable: true });
    using _scope = device.scope();
    expect(() => conv2dForward(empty(device, SHAPE), empty(device, WEIGHT), {}, PADDED, WINOGRAD)).toThrow(
      `at most ${TERMS_OF_IMAGE - 4} bytes a tensor on this device; use another form`,
    );
  });
});

describe("the form is refused", () => {
  test.each<readonly [string, Shape, Conv2dOptions]>([
    ["for another stride", [3, 3, 4, 4], { ...PADDED, stride: [1, 2] }],
    ["for dilation", [3, 3, 4, 4], { padding: 2, dilation: 2 }],
    ["for more rows of taps", [5, 3, 4, 4], { padding: 2 }],
    ["for fewer columns of taps", [3, 1, 4, 4], PADDED],
  ])("%s", (_why, weight, options) => {
    using _scope = device.scope();
    const attempt = () => conv2dForward(empty(device, [1, 8, 8, 4]), empty(device, weight), {}, options, WINOGRAD);
    expect(attempt).toThrow(UnsupportedError);
    expect(attempt).toThrow("conv2d: the form winograd expects f32, 3x3 windows of stride and dilation 1");
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))("for half precision", () => {
    using _scope = device.scope();
    const [x, w] = [empty(device, [1, 8, 8, 4], "f16"), empty(device, [3, 3, 4, 4], "f16")];
    expect(() => conv2dForward(x, w, {}, PADDED, WINOGRAD)).toThrow(UnsupportedError);
  });

  test("by the gradient of the weight", () => {
    using _scope = device.scope();
    const [x, w] = [empty(device, [1, 8, 8, 4]), empty(device, [3, 3, 4, 4])];
    expect(() => conv2dBackwardWeight(x, w, x, PADDED, WINOGRAD)).toThrow(UnsupportedError);
  });
});

describe("without measurement", () => {
  const { device: software } = device.dryRun();
  const gpu = idleGpuOf(device);

  /** Shaders of a convolution and of its image's gradient, in the order in which they run. */
  async function shadersOf(on: typeof gpu, batch: number, channels: number, options: Conv2dOptions) {
    using _scope = on.scope({ awaits: true });
    const { groups = 1 } = options;
    const [x, w] = [empty(on, [batch, 28, 28, channels]), empty(on, [3, 3, channels / groups, channels])];
    const dispatched = await on.trace(() => {
      const output = conv2dForward(x, w, {}, options);
      conv2dBackwardInput(x, w, output, options);
    });
    return dispatched.map(({ label }) => label.split(".")[0]!).filter((shader) => shader !== "reduce");
  }

  const OWN = ["winograd", "winograd", "tiled_product", "winograd"];

  test.each([
    ["a GPU takes it for the basic decoder's layers of B4 in a batch", 12, 432, PADDED, true],
    ["not where the transforms take longer than the products that they save", 16, 272, PADDED, false],
    ["not for single images, whose weight is as much work", 1, 544, PADDED, false],
    ["not with a stride", 16, 544, { padding: 1, stride: 2 }, false],
    ["not with groups", 16, 1088, { padding: 1, groups: 2 }, false],
  ] as const)("%s", async (_why, batch, channels, options, isTaken) => {
    const shaders = await shadersOf(gpu, batch, channels, options);
    expect(shaders.includes("winograd")).toBe(isTaken);
    if (isTaken) expect(shaders).toEqual([...OWN, ...OWN]);
  });

  test("a software adapter never takes it", async () => {
    const { adapter } = software;
    const cpu = Object.assign(software, { adapter: { ...adapter, software: true } });
    expect(await shadersOf(cpu, 16, 544, PADDED)).toEqual(["conv2d", "conv2d"]);
  });
});
