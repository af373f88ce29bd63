import { describe, expect, test } from "vitest";
import { imagesToTensor } from "../../src/ops/images.ts";
import { Device } from "../../src/runtime/device.ts";
import { toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../bounds.ts";
import { expectClose } from "../close.ts";
import { device } from "../device.ts";
import { antialiased, linear } from "../reference/images.ts";

describe("imagesToTensor", () => {
  const PLAIN = { mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
  const pictureOf = (width: number, height: number) => {
    const random = rng(width * 1000 + height);
    return { width, height, data: Uint8Array.from({ length: 4 * width * height }, () => Math.floor(256 * random())) };
  };

  async function checkPictures(on: Device, sizes: readonly (readonly [number, number])[], out: readonly [number, number]): Promise<void> {
    const pictures = sizes.map(([width, height]) => pictureOf(width, height));
    const got = await toArray(imagesToTensor(on, pictures, { height: out[0], width: out[1], ...PLAIN }));
    const want = pictures.flatMap(({ width, height, data }) => {
      const colours = Array.from(data.filter((_, i) => i % 4 !== 3), (value) => value / 255);
      return Array.from(linear({ batch: 1, height, width, channels: 3 }, colours, out, (p, q, h, w) => antialiased(p, h, out[0], height) * antialiased(q, w, out[1], width)));
    });
    const longest = Math.max(...sizes.flat());
    expectClose(got, want, want.map(() => 1), 64 + 8 * longest);
  }

  test.each([
    ["smaller, by no whole number", [[37, 23]], [8, 10]],
    ["larger", [[5, 4]], [16, 17]],
    ["the same size", [[9, 6]], [6, 9]],
    ["one pixel wide", [[1, 30]], [8, 8]],
    ["two pictures of different sizes", [[20, 10], [7, 31]], [8, 8]],
  ] as const)("%s, as PIL's antialiased bilinear", async (_why, sizes, out) => {
    await checkPictures(device, sizes, out);
  });

  test("a picture larger than a binding is read in bands", async () => {
    // A device whose limits claim less than they are: 24 rows of 32 pixels fit, so 50 rows take three bands.
    const limits = new Proxy(device.gpu.limits, {
      get: (target, name) => (name === "maxStorageBufferBindingSize" ? 4 * 32 * 24 : Reflect.get(target, name, target) as unknown),
    });
    const gpu = new Proxy(device.gpu, {
      get: (target, name) => {
        if (name === "limits") return limits;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    await checkPictures(new Device(gpu), [[32, 50]], [6, 5]);
  });

  test("colours are normalised", async () => {
    const white = { width: 8, height: 8, data: new Uint8Array(256).fill(255) };
    const got = await toArray(imagesToTensor(device, [white], { height: 1, width: 1, mean: [0.5, 0, 0.25], deviation: [0.5, 2, 0.25] }));
    expect(got).toEqual(Float32Array.of(1, 0.5, 3));
  });

  test("data that is no picture is refused", () => {
    expect(() => imagesToTensor(device, [{ width: 2, height: 2, data: new Uint8Array(12) }], { height: 4, width: 4, ...PLAIN })).toThrow("a 2x2 RGBA picture has 16 bytes, got 12");
    expect(() => imagesToTensor(device, [{ width: 0, height: 3, data: new Uint8Array(0) }], { height: 4, width: 4, ...PLAIN })).toThrow("a 0x3 RGBA picture");
  });
});
