import { describe, expect, test } from "vitest";
import { averagePool } from "../../src/ops/average_pool.ts";
import { gaussianBlur } from "../../src/ops/gaussian_blur.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import { resize } from "../../src/ops/resize.ts";
import { Device } from "../../src/runtime/device.ts";
import { empty, fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../bounds.ts";
import { expectClose } from "../close.ts";
import { device } from "../device.ts";
import { poison } from "../operation.ts";
import { antialiased, linear, tent, type Image } from "../reference/images.ts";

/** Runs an operation on random values over poisoned memory, twice, and holds it against its definition. */
async function check(image: Image, run: (input: Tensor) => Tensor, size: readonly [number, number], weight: Parameters<typeof linear>[3], slack: number): Promise<void> {
  const { batch, height, width, channels } = image;
  const random = rng(21);
  const values = Float32Array.from({ length: batch * height * width * channels }, () => 2 * random() - 1);
  const compute = async () => {
    poison();
    return toArray(run(fromArray(device, [batch, height, width, channels], values)));
  };
  const got = await compute();
  expectClose(got, linear(image, values, size, weight), new Float64Array(got.length).fill(1), slack);
  expect(await compute()).toEqual(got);
}

const RAGGED: Image = { batch: 2, height: 5, width: 7, channels: 3 };
const PACKED: Image = { batch: 1, height: 6, width: 4, channels: 8 };

describe("gaussianBlur", () => {
  /** Reflection about the outermost pixels, one step at a time. */
  const reflected = (at: number, extent: number): number => (at < 0 ? reflected(-at, extent) : at >= extent ? reflected(2 * (extent - 1) - at, extent) : at);
  const weightOf = ({ height, width }: Image, size: number, sigma: number) => {
    const taps = Array.from({ length: size }, (_, i) => Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma * sigma)));
    const total = taps.reduce((sum, tap) => sum + tap, 0);
    const along = (out: number, at: number, extent: number) =>
      taps.reduce((sum, tap, i) => (reflected(out + i - (size - 1) / 2, extent) === at ? sum + tap / total : sum), 0);
    return (p: number, q: number, h: number, w: number) => along(p, h, height) * along(q, w, width);
  };

  test.each([
    ["GRAD's 3x3 of sigma 0.8", RAGGED, 3, 0.8],
    ["a window of one pixel", PACKED, 1, 2],
    ["the widest window the border allows", PACKED, 7, 1.5],
    ["ragged channels, 9x9", { ...RAGGED, height: 6 }, 9, 2],
  ])("%s", async (_why, image, size, sigma) => {
    await check(image, (input) => gaussianBlur(input, { size, sigma }), [image.height, image.width], weightOf(image, size, sigma), 32 + 4 * size);
  });

  test("3x3 of sigma 0.8 weighs .2390 .5220 .2390", async () => {
    const dot = fromArray(device, [1, 5, 5, 1], Float32Array.from({ length: 25 }, (_, i) => (i === 12 ? 1 : 0)));
    const got = await toArray(gaussianBlur(dot, { size: 3, sigma: 0.8 }));
    expect(got[12]).toBeCloseTo(0.522 ** 2, 4);
    expect(got[11]).toBeCloseTo(0.522 * 0.239, 4);
    expect(got[6]).toBeCloseTo(0.239 ** 2, 4);
  });

  test("refuses windows that it cannot mean", () => {
    for (const size of [2, 0, 9]) {
      expect(() => gaussianBlur(empty(device, [1, 4, 8, 1]), { size, sigma: 1 })).toThrow(`gaussianBlur: expected an odd size within twice the image's 4x8 and sigma > 0, got ${size} and 1`);
    }
    expect(() => gaussianBlur(empty(device, [1, 4, 8, 1]), { size: 3, sigma: NaN })).toThrow("got 3 and NaN");
  });
});

describe("averagePool", () => {
  const weightOf = ({ height, width }: Image, [r, s]: readonly [number, number], [sh, sw]: readonly [number, number], [ph, pw]: readonly [number, number], includePad: boolean) =>
    (p: number, q: number, h: number, w: number) => {
      const inside = (out: number, at: number, taps: number, stride: number, pad: number) => at >= out * stride - pad && at < out * stride - pad + taps;
      if (!inside(p, h, r, sh, ph) || !inside(q, w, s, sw, pw)) return 0;
      const count = (out: number, taps: number, stride: number, pad: number, extent: number) => Array.from({ length: extent }, (_, at) => at).filter((at) => inside(out, at, taps, stride, pad)).length;
      return 1 / (includePad ? r * s : count(p, r, sh, ph, height) * count(q, s, sw, pw, width));
    };

  test.each([
    ["a window that tiles the image", PACKED, [2, 2], [2, 2], [0, 0], true],
    ["GRAD's smoothing, right at the border", RAGGED, [3, 5], [1, 1], [1, 2], false],
    ["padding that counts, as PyTorch's default", RAGGED, [3, 3], [2, 1], [1, 1], true],
    ["an oblong window, with padding that counts", RAGGED, [3, 5], [1, 2], [1, 2], true],
    ["one pixel", RAGGED, [1, 1], [1, 1], [0, 0], false],
  ] as const)("%s", async (_why, image, window, stride, padding, countIncludePad) => {
    const extent = (size: number, i: 0 | 1) => Math.floor((size + 2 * padding[i] - window[i]) / stride[i]) + 1;
    const size = [extent(image.height, 0), extent(image.width, 1)] as const;
    await check(image, (input) => averagePool(input, window, { stride, padding, countIncludePad }), size, weightOf(image, window, stride, padding, countIncludePad), 4 + window[0] * window[1]);
  });
});

test("averagePool steps by its window, pads nothing, and counts padding, if not told otherwise", async () => {
  const input = fromArray(device, [1, 4, 4, 1], Float32Array.from({ length: 16 }, (_, i) => i));
  const plain = averagePool(input, 2);
  expect(plain.shape).toEqual([1, 2, 2, 1]);
  expect(await toArray(plain)).toEqual(Float32Array.of(2.5, 4.5, 10.5, 12.5));
  const padded = await toArray(averagePool(input, 2, { padding: 1, stride: 4 }));
  expect(padded).toEqual(Float32Array.of(0, 3 / 4, 12 / 4, 15 / 4)); // a corner of the image each, over four
});

describe("resize", () => {
  const position = (out: number, outExtent: number, extent: number, alignCorners: boolean) =>
    alignCorners ? (out * (extent - 1)) / Math.max(outExtent - 1, 1) : Math.min(Math.max(((out + 0.5) * extent) / outExtent - 0.5, 0), extent - 1);

  test.each([
    ["eightfold, corners aligned, as the anomaly map", { batch: 1, height: 4, width: 3, channels: 1 }, [32, 24], true],
    ["eightfold, edges aligned", { batch: 2, height: 3, width: 4, channels: 4 }, [24, 32], false],
    ["the same size", RAGGED, [5, 7], false],
    ["smaller by less than two", RAGGED, [4, 5], true],
    ["from one pixel", { batch: 1, height: 1, width: 1, channels: 4 }, [3, 2], true],
    ["to one pixel", RAGGED, [1, 1], true],
    ["to the four corners", RAGGED, [2, 2], true],
  ] as const)("%s", async (_why, image, size, alignCorners) => {
    const weight = (p: number, q: number, h: number, w: number) =>
      tent(position(p, size[0], image.height, alignCorners) - h) * tent(position(q, size[1], image.width, alignCorners) - w);
    await check(image, (input) => resize(input, size, { alignCorners }), size, weight, 16 * Math.max(image.height, image.width));
  });

  test("leaves an image of the same size as it is, to the bit, however aligned", async () => {
    const random = rng(22);
    const values = Float32Array.from({ length: 6 * 7 * 4 }, () => 2 * random() - 1);
    const input = fromArray(device, [1, 6, 7, 4], values);
    for (const alignCorners of [true, false]) expect(await toArray(resize(input, [6, 7], { alignCorners }))).toEqual(values);
  });

  test("aligns edges if not told otherwise", async () => {
    const input = fromArray(device, [1, 1, 2, 1], Float32Array.of(0, 4));
    expect(await toArray(resize(input, [1, 4]))).toEqual(Float32Array.of(0, 1, 3, 4));
  });

  test("refuses sizes that are none", () => {
    expect(() => resize(empty(device, [1, 2, 2, 1]), [0, 4])).toThrow("resize: expected whole, positive extents, got 0x4");
  });
});

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
