import { InputError } from "../runtime/errors.ts";
import { rank, type Ranking } from "./ranking.ts";

/** One image's anomaly map and its ground truth, both row-major, width * height. */
export interface ScoredMap {
  readonly map: Float32Array;
  /** Anything but 0 is defective; null where no pixel is. */
  readonly mask: Uint8Array | null;
  readonly width: number;
  readonly height: number;
}

/**
 * Ranks the pixels of all images together.
 * @throws InputError if a map or mask is not width * height long, or a map holds a number that is not finite
 */
export function rankPixels(images: readonly ScoredMap[]): Ranking {
  const pixels = images.reduce((sum, { map }) => sum + map.length, 0);
  const scores = new Float32Array(pixels);
  const labels = new Uint8Array(pixels);
  let at = 0;
  for (const [index, { map, mask, width, height }] of images.entries()) {
    for (const [what, values] of [["map", map], ["mask", mask ?? map]] as const) {
      if (values.length === width * height) continue;
      throw new InputError(`image ${index}: ${values.length} ${what} values do not make ${width} x ${height} pixels`);
    }
    for (let i = 0; i < map.length; i++) {
      if (Number.isFinite(map[i]!)) continue;
      throw new InputError(`image ${index}: the anomaly map holds ${map[i]} at pixel ${i}; it must be finite`);
    }
    scores.set(map, at);
    if (mask) labels.set(mask, at);
    at += map.length;
  }
  return rank(scores, labels);
}
