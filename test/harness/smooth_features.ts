import type { FeatureSource } from "../../src/methods/method.ts";
import { concat } from "../../src/ops/shape.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "./device.ts";

export const [CELLS, CHANNELS, VARIANCE] = [9, 8, 24];

/** Smooth features that differ a little from image to image. */
export function images(count: number): readonly Tensor[] {
  const random = new RandomStream(1, 77);
  return Array.from({ length: count }, () => {
    const phase = random.unit();
    const values = Float32Array.from(
      { length: CELLS * CELLS * CHANNELS },
      (_, i) => 6 * Math.sin((i % CHANNELS) + 0.3 * Math.floor(i / CHANNELS) + phase),
    );
    return fromArray(device, [1, CELLS, CELLS, CHANNELS], values);
  });
}

/** The same as a source for training. */
export function source(count: number): FeatureSource {
  const features = images(count);
  return {
    count,
    batch: (indices) =>
      Promise.resolve(
        concat(
          indices.map((i) => features[i]!),
          0,
        ),
      ),
  };
}
