import { describe, expect, test } from "vitest";
import { resizeBackwardInput } from "../../src/kernels/resize.ts";
import { resize } from "../../src/ops/resize.ts";
import { Device } from "../../src/runtime/device.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { resizeDyadicOperation, resizeNearestOperation, resizeOperation } from "../operations/resize.ts";

describeOperation(resizeOperation);
describeOperation(resizeDyadicOperation);
describeOperation(resizeNearestOperation);

test("resize is bilinear with aligned edges if not told otherwise", async () => {
  const input = fromArray(device, [1, 1, 2, 1], Float32Array.of(0, 4));
  expect(await toArray(resize(input, [1, 4]))).toEqual(Float32Array.of(0, 1, 3, 4));
});

test("resize to the nearest pixel takes, of two that are as near, the later", async () => {
  const input = fromArray(device, [1, 1, 3, 1], Float32Array.of(0, 1, 2));
  expect(await toArray(resize(input, [1, 5], { mode: "nearest", alignCorners: true }))).toEqual(
    Float32Array.of(0, 1, 1, 2, 2),
  );
});

test("resize finds positions on long lines without rounding", async () => {
  const [extent, outExtent] = [16000, 33000];
  const input = fromArray(
    device,
    [1, extent, 1, 1],
    Float32Array.from({ length: extent }, (_, i) => i),
  );
  const nearest = await toArray(resize(input, [outExtent, 1], { mode: "nearest" }));
  expect(nearest).toEqual(Float32Array.from({ length: outExtent }, (_, p) => Math.floor((p * extent) / outExtent)));
  const bilinear = await toArray(resize(input, [outExtent, 1]));
  // Bilinear interpolation of a ramp is the position itself: two products, their sum and two weights round.
  const fault = bilinear.findIndex((y, p) => {
    const position = Math.min(Math.max(((p + 0.5) * extent) / outExtent - 0.5, 0), extent - 1);
    return !(Math.abs(y - position) <= 10 * 2 ** -24 * position);
  });
  expect(fault).toBe(-1);
});

test.each([
  ["rows first, where that leaves fewer pixels to the columns", [8, 4], [2, 8], [2, 4]],
  ["columns first, where that leaves fewer pixels to the rows", [4, 8], [8, 2], [4, 2]],
])("resize goes over %s", async (_order, from, to, between) => {
  // Between the passes only the smaller image is stored: only memory of that size is allocated besides the output.
  const input = empty(device, [1, from[0]!, from[1]!, 256]);
  const asked: number[] = [];
  const allocate = (bytes: number) => {
    asked.push(bytes);
    return Device.prototype.allocate.call(device, bytes);
  };
  Object.defineProperty(device, "allocate", { value: allocate, configurable: true });
  try {
    resize(input, [to[0]!, to[1]!]);
  } finally {
    delete (device as { allocate?: unknown }).allocate;
  }
  await device.settle();
  expect(asked).toEqual([between, to].map(([h, w]) => 4 * 256 * h! * w!));
});

test("a batch of 0 images, or images of 0 channels, stay so", async () => {
  expect(await runEmpty([[0, 3, 4, 2]], ([input]) => resize(input!, [5, 6]))).toEqual({
    shape: [0, 5, 6, 2],
    dispatches: 0,
    grads: [[]],
  });
  expect(await runEmpty([[1, 3, 4, 0]], ([input]) => resize(input!, [5, 6]))).toEqual({
    shape: [1, 5, 6, 0],
    dispatches: 0,
    grads: [[]],
  });
});

describe("resize rejects, before any GPU work,", () => {
  const expected = "resize: expected input [N,H,W,C] with H, W > 0, got input";
  test.each([
    ["a 3-D input", [4, 4, 3], `${expected} [4,4,3]`],
    ["no rows", [1, 0, 4, 3], `${expected} [1,0,4,3]`],
    ["no columns", [1, 4, 0, 3], `${expected} [1,4,0,3]`],
  ])("%s", (_what, shape, message) => {
    const attempt = () => resize(empty(device, shape), [2, 2]);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });

  test.each<[string, readonly [number, number], Readonly<Record<string, unknown>>, string]>([
    ["a size of nothing", [0, 4], {}, "resize: expected whole, positive extents, got 0x4"],
    ["a size between pixels", [2, 1.5], {}, "resize: expected whole, positive extents, got 2x1.5"],
    ["another mode", [2, 2], { mode: "bicubic" }, "resize: expected mode to be nearest or bilinear, got bicubic"],
    [
      "antialiased nearest pixels",
      [2, 2],
      { mode: "nearest", antialias: true },
      "resize: antialias is for mode bilinear with alignCorners false, got nearest and false",
    ],
    [
      "antialiasing with aligned corners",
      [2, 2],
      { antialias: true, alignCorners: true },
      "resize: antialias is for mode bilinear with alignCorners false, got bilinear and true",
    ],
    [
      "an option that it does not know",
      [2, 2],
      { align_corners: true },
      "resize: unknown option align_corners; it takes mode, alignCorners, antialias",
    ],
    [
      "more ticks than an i32 holds",
      [4, 2 ** 27],
      {},
      "resize: expected extents with a product below 536870912, got 4 to 134217728; resize in two steps",
    ],
  ])("%s", (_what, size, options, message) => {
    const attempt = () => resize(empty(device, [1, 4, 4, 0]), size, options);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(message);
  });

  test("whole numbers", () => {
    const attempt = () => resize(empty(device, [1, 2, 2, 1], "u32"), [3, 3]);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("resize: expected input of dtype f32 or f16, it is u32, got input [1,2,2,1]");
  });

  test("a gradient of another shape", () => {
    const options = { mode: "bilinear", alignCorners: false, antialias: false } as const;
    const attempt = () =>
      resizeBackwardInput(empty(device, [1, 2, 2, 1]), empty(device, [1, 2, 3, 1]), [3, 3], options);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("resize: expected gradOutput [1,3,3,1], got input [1,2,2,1] and gradOutput [1,2,3,1]");
  });
});
