import { describe, expect, test } from "vitest";
import { drawFeatureBlocks } from "../../src/kernels/feature_block_paste.ts";
import { dropout } from "../../src/ops/dropout.ts";
import { featureBlockPaste } from "../../src/ops/feature_block_paste.ts";
import { gradients } from "../../src/ops/gradients.ts";
import { normal, randomWords, uniform, type Draw } from "../../src/ops/random.ts";
import { philox as hostPhilox, RandomStream } from "../../src/tensor/random.ts";
import { empty, fromArray, release, requireGrad, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";
import { expectClose } from "../close.ts";
import { device } from "../device.ts";
import { poison } from "../operation.ts";
import { philox, unit, walk } from "../reference/philox.ts";

// Random123's known answers for philox4x32-10.
const KNOWN = [
  [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
  [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
] as const;

test.each(KNOWN)("Philox gives the known answer for counter %s", (counter, key, words) => {
  expect(philox(counter, key)).toEqual(words);
  expect(hostPhilox(counter, key)).toEqual(words);
});

const words = async (tensor: Tensor) => new Uint32Array((await toArray(tensor)).buffer);

describe("random numbers on the GPU", () => {
  test("are Philox's words over the elements' indices", async () => {
    poison();
    const draw = { seed: 0xdeadbeef, stream: 7, step: 3 };
    const got = await words(randomWords(device, [41], draw));
    const want = Array.from({ length: 41 }, (_, i) => philox([Math.floor(i / 4), draw.stream, draw.step, 0], [draw.seed, 0])[i % 4]);
    expect(Array.from(got)).toEqual(want);
  });

  test("do not depend on how many are drawn, but on seed, stream and step", async () => {
    const draw = { seed: 1, stream: 2, step: 3 };
    const first = await toArray(normal(device, [30], draw));
    expect((await toArray(normal(device, [1000], draw))).slice(0, 30)).toEqual(first);
    for (const other of [{ ...draw, seed: 2 }, { ...draw, stream: 3 }, { ...draw, step: 4 }]) expect(await toArray(normal(device, [30], other))).not.toEqual(first);
  });

  test("uniform ones fill their interval evenly, without its ends", async () => {
    const values = await toArray(uniform(device, [40_000], { seed: 5, stream: 0, step: 0 }, -2, 6));
    expect(values.every((x) => x > -2 && x < 6)).toBe(true);
    const sorted = values.slice().sort();
    const gap = sorted.reduce((worst, x, i) => Math.max(worst, Math.abs((x + 2) / 8 - (i + 0.5) / sorted.length)), 0);
    expect(gap).toBeLessThan(1.95 / Math.sqrt(sorted.length)); // Kolmogorov and Smirnov at 0.1 %
  });

  test("uniform ones are the middles of 2^23 equal parts, for counts just beyond a whole workgroup", async () => {
    poison();
    const [draw, count] = [{ seed: 9, stream: 1, step: 2 }, 4 * 64 + 1];
    const want = Float32Array.from({ length: count }, (_, i) => unit(philox([Math.floor(i / 4), draw.stream, draw.step, 0], [draw.seed, 0])[i % 4]!));
    expect(await toArray(uniform(device, [count], draw))).toEqual(want);
  });

  test("normal ones are Box and Muller's of the same words", async () => {
    poison();
    const [draw, count] = [{ seed: 10, stream: 3, step: 1 }, 1001];
    const want = Float64Array.from({ length: count }, (_, i) => {
      const units = philox([Math.floor(i / 4), draw.stream, draw.step, 0], [draw.seed, 0]).map(unit);
      const [first, second] = i % 4 < 2 ? [units[0]!, units[1]!] : [units[2]!, units[3]!];
      return 3 * Math.sqrt(-2 * Math.log(first)) * (i % 2 === 0 ? Math.cos : Math.sin)(2 * Math.PI * second);
    });
    const got = await toArray(normal(device, [count], draw, 3));
    // WGSL allows cos and sin an absolute error of 2^-11. The radius is at most sqrt(-2 log 2^-24) = 5.8.
    expectClose(got, want, want.map(() => 3 * 5.8), 1, 2 ** -11);
  });

  test("normal ones are spread as a normal distribution is", async () => {
    const values = (await toArray(normal(device, [40_000], { seed: 7, stream: 0, step: 0 }))).sort();
    // The integral of the density from the far left, by the trapezoid rule; steps of 1e-3 are exact to 1e-7.
    let [at, share, gap] = [-8, 0, 0];
    const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    for (const [i, x] of values.entries()) {
      for (; at + 1e-3 <= x; at += 1e-3) share += (1e-3 * (density(at) + density(at + 1e-3))) / 2;
      gap = Math.max(gap, Math.abs(share + (x - at) * density(x) - (i + 0.5) / values.length));
    }
    expect(gap).toBeLessThan(1.95 / Math.sqrt(values.length)); // Kolmogorov and Smirnov at 0.1 %
  });

  test("are refused where the draw or the interval is none", () => {
    const draw = { seed: 1, stream: 2, step: 3 };
    expect(() => uniform(device, [3], { ...draw, stream: 2 ** 32 })).toThrow("uniform: expected seed, stream and step to be whole numbers below 2^32, got 1, 4294967296 and 3");
    expect(() => randomWords(device, [3], { ...draw, seed: 0.5 })).toThrow("randomWords: expected seed, stream and step");
    expect(() => uniform(device, [3], draw, 0, Infinity)).toThrow("uniform: expected finite ends, got 0 and Infinity");
    expect(() => normal(device, [3], draw, NaN)).toThrow("normal: expected a finite deviation of at least 0, got NaN");
  });

  test("normal ones have the moments of a normal distribution", async () => {
    const count = 40_000;
    const values = await toArray(normal(device, [count], { seed: 6, stream: 0, step: 0 }, 3));
    const moment = (k: number) => values.reduce((sum, x) => sum + (x / 3) ** k, 0) / count;
    const tolerance = (variance: number) => 4 * Math.sqrt(variance / count); // four standard errors
    expect(Math.abs(moment(1))).toBeLessThan(tolerance(1));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(tolerance(2));
    expect(Math.abs(moment(3))).toBeLessThan(tolerance(15));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(tolerance(96));
  });
});

describe("draws whose step lies in a tensor", () => {
  const features = requireGrad(fromArray(device, [2, 12, 12, 4], new Float32Array(2 * 12 * 12 * 4).fill(0.5)));
  const draws: Readonly<Record<string, (draw: Draw) => readonly Tensor[]>> = {
    randomWords: (draw) => [randomWords(device, [41], draw)],
    uniform: (draw) => [uniform(device, [41], draw)],
    normal: (draw) => [normal(device, [41], draw)],
    dropout: (draw) => {
      const { results, grads } = gradients(() => [dropout(features, draw)], [features]);
      return [...results, grads[0]!];
    },
    featureBlockPaste: (draw) => {
      const { features: pasted, mask } = featureBlockPaste(features, draw, { maxHalfSide: 4 });
      return [pasted, mask];
    },
  };
  const bitsOf = (tensors: readonly Tensor[]) => Promise.all(tensors.map((tensor) => toArray(tensor).then((values) => new Uint32Array(values.buffer))));

  test.each(Object.keys(draws))("go on from run to run of a captured %s, to the bits of ten eager ones", async (name) => {
    const drawn = draws[name]!;
    const step = zeros(device, [1], "u32");
    const { program, result } = device.capture(() => drawn({ seed: 5, stream: 6, step }));
    const seen = new Set<string>();
    for (const now of [0, 1, 2, 3, 4, 5, 6, 7, 8, 0xffffffff]) {
      device.write(step.allocation.buffer, Uint32Array.of(now));
      poison();
      program.run();
      const got = await bitsOf(result);
      expect(got).toEqual(await bitsOf(drawn({ seed: 5, stream: 6, step: now })));
      expect(await bitsOf(drawn({ seed: 5, stream: 6, step }))).toEqual(got);
      seen.add(got.join());
    }
    expect(seen.size).toBe(10);
    program.release();
    release(step);
  });

  test("keep no memory", () => {
    const before = device.memory().bytes;
    for (const drawn of Object.values(draws)) {
      using _scope = device.scope();
      drawn({ seed: 1, stream: 2, step: 3 });
      const held = device.memory().allocations;
      release(normal(device, [3], { seed: 1, stream: 2, step: 3 }));
      expect(device.memory().allocations).toBe(held);
    }
    expect(device.memory().bytes).toBe(before);
  });

  test("are refused where the tensor is none of a step, and where a capture would keep a number", () => {
    const of = (step: Draw["step"]): Draw => ({ seed: 1, stream: 2, step });
    expect(() => normal(device, [3], of(zeros(device, [1])))).toThrow("normal: expected step of dtype u32, it is f32, got step [1]");
    expect(() => dropout(features, of(zeros(device, [2], "u32")))).toThrow("dropout: expected step [1], got step [2]");
    expect(() => uniform(device, [3], { ...of(zeros(device, [1], "u32")), seed: -1 })).toThrow("got -1, 2 and a tensor");
    for (const drawn of Object.values(draws)) {
      expect(() => device.capture(() => drawn(of(7)))).toThrow(": expected the draw's step in a tensor while capturing, got 7, which every run would draw again");
    }
  });
});

test("a host stream permutes, repeats from its seed, and is normal", () => {
  const order = new RandomStream(3, 1).permutation(100);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(new RandomStream(3, 1).permutation(100)).toEqual(order);
  expect(new RandomStream(3, 2).permutation(100)).not.toEqual(order);
  const values = new RandomStream(4, 0).normals(10_001, 2);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(8 / 100);
  expect(Math.abs(variance - 4)).toBeLessThan(16 * Math.sqrt(2 / values.length));
});

describe("feature block paste", () => {
  const options = { maxHalfSide: 10, intensity: [8, 16], steps: 100 } as const;

  test("marks exactly the cells of the walk", async () => {
    const [height, width, batch] = [23, 28, 40];
    const draw = { seed: 77, stream: 4, step: 9 };
    // Memory of just the size that will be asked for, full of something else.
    const used = [0, 1].map(() => fromArray(device, [batch, height, width], new Float32Array(batch * height * width).fill(NaN)));
    for (const tensor of used) device.release(tensor.allocation);
    const { mask, paste } = drawFeatureBlocks(device, [batch, height, width], draw, options);
    const [marks, values] = await Promise.all([toArray(mask), toArray(paste)]);
    for (let n = 0; n < batch; n++) {
      const { half, centre, cells, intensityUnit } = walk({ height, width, maxHalfSide: 10, steps: 100, ...draw }, n);
      expect(centre[0] - half >= 0 && centre[0] + half < width && centre[1] - half >= 0 && centre[1] + half < height).toBe(true);
      for (let i = 0; i < height * width; i++) {
        const at = n * height * width + i;
        expect(marks[at]).toBe(cells.has(i) ? 1 : 0);
        expect(Math.abs(values[at]! - (cells.has(i) ? 8 + 8 * intensityUnit : 0))).toBeLessThan(1e-5);
      }
    }
  });

  test("marks about 3.2 % of 28 x 28 cells", async () => {
    const { mask } = drawFeatureBlocks(device, [4000, 28, 28], { seed: 1, stream: 0, step: 0 }, options);
    const marks = await toArray(mask);
    const share = marks.reduce((sum, x) => sum + x, 0) / marks.length;
    expect(share).toBeGreaterThan(0.030);
    expect(share).toBeLessThan(0.034);
  });

  test("is the same for the same draw, and another for another seed, stream, step or image", async () => {
    const draw = { seed: 3, stream: 1, step: 5 };
    const marks = async (of: typeof draw) => toArray(drawFeatureBlocks(device, [2, 28, 28], of, options).mask);
    const first = await marks(draw);
    expect(await marks({ ...draw })).toEqual(first);
    for (const other of [{ ...draw, seed: 4 }, { ...draw, stream: 2 }, { ...draw, step: 6 }]) expect(await marks(other)).not.toEqual(first);
    expect(first.slice(0, 28 * 28)).not.toEqual(first.slice(28 * 28));
  });

  test("adds the block as a 3 x 3 blur of sigma 0.8 spreads it", async () => {
    const [height, width] = [12, 12];
    const draw = { seed: 2, stream: 0, step: 0 };
    const { paste } = drawFeatureBlocks(device, [1, height, width], draw, { ...options, maxHalfSide: 4 });
    const { features } = featureBlockPaste(fromArray(device, [1, height, width, 1], new Float32Array(height * width)), draw, { ...options, maxHalfSide: 4 });
    const [block, got] = await Promise.all([toArray(paste), toArray(features)]);
    const side = Math.exp(-1 / (2 * 0.8 ** 2));
    const taps = [side, 1, side].map((tap) => tap / (1 + 2 * side));
    const mirrored = (i: number, extent: number) => (i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i);
    const want = Array.from({ length: height * width }, (_, i) => {
      let sum = 0;
      for (const [r, down] of taps.entries()) {
        for (const [s, across] of taps.entries()) {
          sum += down * across * block[mirrored(Math.floor(i / width) + r - 1, height) * width + mirrored((i % width) + s - 1, width)]!;
        }
      }
      return sum;
    });
    expect(Math.max(...want)).toBeGreaterThan(1);
    expectClose(got, want, want.map(() => options.intensity[1]), 2 * (3 + 4)); // two passes: three terms, exp twice, sum and division
  });

  test("adds the blurred block to every channel", async () => {
    const [height, width, channels] = [12, 12, 5];
    const clean = Float32Array.from({ length: height * width * channels }, (_, i) => i % 7);
    const draw = { seed: 2, stream: 0, step: 0 };
    const { features, mask } = featureBlockPaste(fromArray(device, [1, height, width, channels], clean), draw, { ...options, maxHalfSide: 4 });
    const [pasted, marks] = await Promise.all([toArray(features), toArray(mask)]);
    const added = pasted.map((x, i) => x - clean[i]!);
    for (let i = 0; i < height * width; i++) {
      const channelsOf = added.slice(i * channels, (i + 1) * channels);
      expect(Math.max(...channelsOf) - Math.min(...channelsOf)).toBeLessThan(1e-5);
      if (marks[i]) expect(channelsOf[0]!).toBeGreaterThan(8 * 0.522 ** 2 - 1e-4);
    }
    const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0);
    expect(total(added)).toBeGreaterThan(0);
  });

  test("refuses blocks larger than the map", () => {
    expect(() => featureBlockPaste(empty(device, [1, 8, 8, 4]), { seed: 0, stream: 0, step: 0 }, { ...options, maxHalfSide: 4 })).toThrow(
      "featureBlockPaste: expected maxHalfSide from 0.5 to 3.5, got 4 for 8x8 cells",
    );
    for (const maxHalfSide of [0.4, NaN]) {
      expect(() => drawFeatureBlocks(device, [1, 8, 8], { seed: 0, stream: 0, step: 0 }, { ...options, maxHalfSide })).toThrow(`got ${maxHalfSide} for 8x8`);
    }
  });

  test("refuses other ranks, draws that are not of u32s and options out of range or unknown", () => {
    const features = empty(device, [1, 28, 28, 4]);
    const draw = { seed: 0, stream: 0, step: 0 };
    expect(() => featureBlockPaste(empty(device, [28, 28, 4]), draw)).toThrow("featureBlockPaste: expected features [N,H,W,C], got features [28,28,4]");
    expect(() => featureBlockPaste(features, { ...draw, seed: -1 })).toThrow("featureBlockPaste: expected seed, stream and step to be whole numbers below 2^32, got -1, 0 and 0");
    expect(() => featureBlockPaste(features, draw, { intensity: [16, 8] })).toThrow("featureBlockPaste: expected a finite intensity [low, high], got [16,8]");
    expect(() => featureBlockPaste(features, draw, { steps: 1.5 })).toThrow("featureBlockPaste: expected steps to be whole numbers of at least 0, got 1.5");
    expect(() => featureBlockPaste(features, draw, { size: 3 } as object)).toThrow("featureBlockPaste: unknown option size; it takes maxHalfSide, intensity, steps");
  });

  test("passes gradients on to the features, and takes features stored in f16", async () => {
    const draw = { seed: 0, stream: 0, step: 0 };
    for (const dtype of device.gpu.features.has("shader-f16") ? (["f32", "f16"] as const) : (["f32"] as const)) {
      const features = requireGrad(fromArray(device, [1, 28, 28, 4], new Float32Array(28 * 28 * 4).fill(0.5), dtype));
      const { results, grads } = gradients(() => [featureBlockPaste(features, draw).features], [features]);
      expect(results[0]!.dtype).toBe(dtype);
      expect((await toArray(results[0]!)).some((x) => x > 4)).toBe(true);
      expect((await toArray(grads[0]!)).every((g) => g === 1)).toBe(true);
    }
  });

  test("the reference's units lie within (0, 1)", () => {
    expect([unit(0) > 0, unit(0xffffffff) < 1]).toEqual([true, true]);
  });
});
