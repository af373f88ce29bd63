import { describe, expect, test } from "vitest";
import { dropout } from "../../src/ops/dropout.ts";
import { featureBlockPaste } from "../../src/ops/feature_block_paste.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { normal, randomWords, uniform, type Draw } from "../../src/ops/random.ts";
import { philox as hostPhilox, RandomStream } from "../../src/tensor/random.ts";
import { fromArray, release, requireGrad, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";
import { expectClose } from "../harness/close.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { normals, philox, unit } from "../reference/philox.ts";

// Random123's known answers for philox4x32-10.
const KNOWN = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
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
    const want = Array.from(
      { length: 41 },
      (_, i) => philox([Math.floor(i / 4), draw.stream, draw.step, 0], [draw.seed, 0])[i % 4],
    );
    expect(Array.from(got)).toEqual(want);
  });

  test("do not depend on how many are drawn, but on seed, stream and step", async () => {
    const draw = { seed: 1, stream: 2, step: 3 };
    const first = await toArray(normal(device, [30], draw));
    expect((await toArray(normal(device, [1000], draw))).slice(0, 30)).toEqual(first);
    for (const other of [
      { ...draw, seed: 2 },
      { ...draw, stream: 3 },
      { ...draw, step: 4 },
    ])
      expect(await toArray(normal(device, [30], other))).not.toEqual(first);
  });

  test("uniform ones fill their interval evenly, without its ends", async () => {
    const values = await toArray(uniform(device, [40_000], { seed: 5, stream: 0, step: 0 }, -2, 6));
    expect(values.every((x) => x > -2 && x < 6)).toBe(true);
    const sorted = values.slice().sort();
    const gap = sorted.reduce((worst, x, i) => Math.max(worst, Math.abs((x + 2) / 8 - (i + 0.5) / sorted.length)), 0);
    expect(gap).toBeLessThan(1.95 / Math.sqrt(sorted.length)); // Kolmogorov-Smirnov test at 0.1 %
  });

  test("uniform ones are the middles of 2^23 equal parts, for counts just beyond a whole workgroup", async () => {
    poison();
    const [draw, count] = [{ seed: 9, stream: 1, step: 2 }, 4 * 64 + 1];
    const want = Float32Array.from({ length: count }, (_, i) =>
      unit(philox([Math.floor(i / 4), draw.stream, draw.step, 0], [draw.seed, 0])[i % 4]!),
    );
    expect(await toArray(uniform(device, [count], draw))).toEqual(want);
  });

  test("normal ones are Box and Muller's of the same words", async () => {
    poison();
    const [draw, count] = [{ seed: 10, stream: 3, step: 1 }, 1001];
    const want = Float64Array.from({ length: count }, (_, i) => {
      const words = philox([Math.floor(i / 4), draw.stream, draw.step, 0], [draw.seed, 0]);
      return 3 * normals(words)[i % 4]!;
    });
    const got = await toArray(normal(device, [count], draw, 3));
    // WGSL allows cos and sin an absolute error of 2^-11. The radius is at most sqrt(-2 log 2^-24) = 5.8.
    expectClose(
      got,
      want,
      want.map(() => 3 * 5.8),
      1,
      2 ** -11,
    );
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
    expect(gap).toBeLessThan(1.95 / Math.sqrt(values.length)); // Kolmogorov-Smirnov test at 0.1 %
  });

  test("are refused where the draw or the interval is none", () => {
    const draw = { seed: 1, stream: 2, step: 3 };
    expect(() => uniform(device, [3], { ...draw, stream: 2 ** 32 })).toThrow(
      "uniform: expected seed, stream and step to be whole numbers below 2^32, got 1, 4294967296 and 3",
    );
    expect(() => randomWords(device, [3], { ...draw, seed: 0.5 })).toThrow(
      "randomWords: expected seed, stream and step",
    );
    expect(() => uniform(device, [3], draw, 0, Infinity)).toThrow("uniform: expected finite ends, got 0 and Infinity");
    expect(() => normal(device, [3], draw, NaN)).toThrow("normal: expected a finite std of at least 0, got NaN");
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
      const { results, grads } = valueAndGradients(() => [dropout(features, draw)], [features]);
      return [...results, grads[0]!];
    },
    featureBlockPaste: (draw) => {
      const { features: pasted, mask } = featureBlockPaste(features, draw, { maxHalfSide: 4 });
      return [pasted, mask];
    },
  };
  const bitsOf = (tensors: readonly Tensor[]) =>
    Promise.all(tensors.map((tensor) => toArray(tensor).then((values) => new Uint32Array(values.buffer))));

  test.each(Object.keys(draws))(
    "go on from run to run of a captured %s, to the bits of ten eager ones",
    async (name) => {
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
    },
  );

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
    expect(() => normal(device, [3], of(zeros(device, [1])))).toThrow(
      "normal: expected step of dtype u32, it is f32, got step [1]",
    );
    expect(() => dropout(features, of(zeros(device, [2], "u32")))).toThrow("dropout: expected step [1], got step [2]");
    expect(() => uniform(device, [3], { ...of(zeros(device, [1], "u32")), seed: -1 })).toThrow(
      "got -1, 2 and a tensor",
    );
    for (const drawn of Object.values(draws)) {
      expect(() => device.capture(() => drawn(of(7)))).toThrow(
        ": expected the draw's step in a tensor while capturing, got 7, for which every run would draw the same numbers",
      );
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

test("the reference's units lie within (0, 1)", () => {
  expect([unit(0) > 0, unit(0xffffffff) < 1]).toEqual([true, true]);
});
