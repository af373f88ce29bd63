import { describe, expect, test } from "vitest";
import { imagesToTensor } from "../../src/ops/images.ts";
import type { Resize } from "../../src/io/placement.ts";
import { Device } from "../../src/runtime/device.ts";
import { toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import golden from "../golden/images.json" with { type: "json" };
import { poison } from "../harness/operation.ts";

describe("imagesToTensor", () => {
  const PLAIN = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] } as const;

  /** The pictures of tools/golden/images.py: high bits of a linear congruential generator. */
  const pictureOf = (width: number, height: number) => {
    let state = width * 1000 + height;
    const data = new Uint8Array(4 * width * height).fill(7); // alpha is ignored
    for (let i = 0; i < 3 * width * height; i++) {
      state = Number((1103515245n * BigInt(state) + 12345n) % 2n ** 31n);
      data[4 * Math.floor(i / 3) + (i % 3)] = state >>> 23;
    }
    return { width, height, data };
  };

  /** Bytes, which lie within rounding of integers. */
  const resized = async (
    on: Device,
    pictures: readonly ReturnType<typeof pictureOf>[],
    size: { height: number; width: number; resize?: Resize },
  ) =>
    Array.from(await toArray(imagesToTensor(on, pictures, { ...size, ...PLAIN })), (value) => {
      expect(Math.abs(value - Math.round(value))).toBeLessThan(1e-4);
      return Math.round(value);
    });

  test.each(golden.cases)(
    "$width x $height to $outWidth x $outHeight equals Pillow's",
    async ({ width, height, outWidth, outHeight, rgb }) => {
      expect(await resized(device, [pictureOf(width, height)], { width: outWidth, height: outHeight })).toEqual(rgb);
    },
  );

  test("pictures of different sizes make one batch", async () => {
    const [a, b] = [pictureOf(37, 23), pictureOf(64, 48)];
    const size = { width: 10, height: 8 };
    expect(await resized(device, [a, b], size)).toEqual([
      ...(await resized(device, [a], size)),
      ...(await resized(device, [b], size)),
    ]);
  });

  test("a crop is the centre, cut to the image's shape", async () => {
    const picture = pictureOf(12, 9);
    const square = {
      width: 9,
      height: 9,
      data: Uint8Array.from({ length: 4 * 81 }, (_, i) => picture.data[4 * (12 * Math.floor(i / 36) + 1) + (i % 36)]!),
    };
    expect(await resized(device, [picture], { width: 5, height: 5, resize: "crop" })).toEqual(
      await resized(device, [square], { width: 5, height: 5 }),
    );
  });

  test("a letterboxed picture is whole, between bars of the mean colour", async () => {
    poison();
    const picture = pictureOf(12, 6);
    const whole = await resized(device, [picture], { width: 8, height: 4 });
    const boxed = await resized(device, [picture], { width: 8, height: 8, resize: "letterbox" });
    const bar = new Array<number>(2 * 8 * 3).fill(0);
    expect(boxed).toEqual([...bar, ...whole, ...bar]);
  });

  test("a picture larger than a binding is read in bands", async () => {
    // A device that claims smaller limits than it has: 32 rows of 32 pixels fit, so 50 rows take two bands.
    const limits = new Proxy(device.gpu.limits, {
      get: (target, name) =>
        name === "maxStorageBufferBindingSize" ? 4 * 32 * 32 : (Reflect.get(target, name, target) as unknown),
    });
    const gpu = new Proxy(device.gpu, {
      get: (target, name) => {
        if (name === "limits") return limits;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const size = { width: 6, height: 5 };
    expect(await resized(new Device(gpu), [pictureOf(32, 50)], size)).toEqual(
      await resized(device, [pictureOf(32, 50)], size),
    );
  });

  test("colours are normalised", async () => {
    const white = { width: 8, height: 8, data: new Uint8Array(256).fill(255) };
    const got = await toArray(
      imagesToTensor(device, [white], { height: 1, width: 1, mean: [0.5, 0, 0.25], std: [0.5, 2, 0.25] }),
    );
    expect(got).toEqual(Float32Array.of(1, 0.5, 3));
  });

  test("data that is no picture is refused", () => {
    expect(() =>
      imagesToTensor(device, [{ width: 2, height: 2, data: new Uint8Array(12) }], { height: 4, width: 4, ...PLAIN }),
    ).toThrow("a 2x2 RGBA picture has 16 bytes, got 12");
    expect(() =>
      imagesToTensor(device, [{ width: 0, height: 3, data: new Uint8Array(0) }], { height: 4, width: 4, ...PLAIN }),
    ).toThrow("a 0x3 RGBA picture");
  });
});
