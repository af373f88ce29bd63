import { perlinMask } from "../../src/ops/perlin_mask.ts";
import { device } from "../harness/device.ts";
import type { Operation } from "../harness/operation.ts";
import { noiseOf, type Problem } from "../reference/perlin_mask.ts";

const NEAR = 4e-3; // WGSL allows cos and sin an absolute error of 2^-11; four ramps of length up to sqrt(2), times sqrt(2)

const noisesOf = (p: Problem) => Array.from({ length: p.batch }, (_, image) => noiseOf(p, image));

/** A threshold that no cell's noise comes near: in the middle of a gap, the one next to the median if there are several. */
function thresholdOf(p: Problem): number {
  const noise = Float64Array.from(noisesOf(p).flatMap((values) => values ?? [])).sort();
  const gaps = Array.from(noise.subarray(1), (high, i) => ({
    low: noise[i]!,
    high,
    from: Math.abs(i - noise.length / 2),
  }));
  const wide = gaps.filter(({ low, high }) => high - low > 2 * NEAR).sort((a, b) => a.from - b.from)[0];
  return wide ? (wide.low + wide.high) / 2 : (noise.at(-1) ?? 0) + NEAR;
}

const MAPS: Problem = { batch: 2, height: 6, width: 7, levels: 2, cleanShare: 0, seed: 9, stream: 5, step: 3 };

export const perlinMaskOperation: Operation<Problem> = {
  name: "perlinMask",
  problems: [
    ["small maps", MAPS],
    ["some of them clean", { ...MAPS, batch: 5, cleanShare: 0.5 }],
    ["wider than high", { ...MAPS, height: 5, width: 12 }],
    ["one cell", { ...MAPS, height: 1, width: 1, levels: 1 }],
  ],
  draw: (draws) => {
    const [height, width] = [draws.whole(1, 12), draws.whole(1, 12)];
    return {
      batch: draws.whole(1, 4),
      height,
      width,
      levels: 1 + Math.floor(Math.log2(Math.max(1, Math.min(height, width) / 2))),
      cleanShare: draws.pick([0, 0.5]),
      seed: draws.whole(0, 2 ** 31),
      stream: draws.whole(0, 20),
      step: draws.whole(0, 1000),
    };
  },
  shapes: () => [],
  run: (p) =>
    perlinMask(device, [p.batch, p.height, p.width], p, { threshold: thresholdOf(p), cleanShare: p.cleanShare }),
  forward: (p) => {
    const threshold = thresholdOf(p);
    return noisesOf(p).flatMap((noise) =>
      Array.from({ length: p.height * p.width }, (_, cell) => ((noise?.[cell] ?? -Infinity) > threshold ? 1 : 0)),
    );
  },
  backward: null,
  slack: () => 0, // marks are 0 or 1
  half: null,
};
