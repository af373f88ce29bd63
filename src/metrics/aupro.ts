import { InputError } from "../runtime/errors.ts";
import { connectedRegions } from "./regions.ts";

/** One image's anomaly map and its ground truth, both row-major, width * height. */
export interface ScoredMap {
  readonly map: Float32Array;
  /** Anything but 0 is defective. */
  readonly mask: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Area under the per-region overlap curve up to a false positive rate, divided by that rate: in [0, 1]. Exact: every
 * distinct value of the maps is a threshold. Null where there is no defective region or no good pixel.
 *
 * The overlap at a threshold is the mean, over all 8-connected regions of all images, of the share of the region at or
 * above it; the false positive rate counts the good pixels of all images. Straight lines join neighbouring thresholds.
 *
 * @throws InputError if a map holds a number that is not finite
 * @see Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021
 */
export function aupro(images: readonly ScoredMap[], limit = 0.3): number | null {
  let pixels = 0;
  for (const { map } of images) pixels += map.length;
  // What a pixel adds when the threshold falls to its value: to the overlap if it is defective, to the rate if it is good.
  const scores = new Float32Array(pixels);
  const overlaps = new Float64Array(pixels);
  let at = 0;
  let regionCount = 0;
  let good = 0;
  for (const { map, mask, width, height } of images) {
    const { labels, count } = connectedRegions(mask, width, height);
    const areas = new Float64Array(count + 1);
    for (const label of labels) areas[label]!++;
    for (let i = 0; i < map.length; i++, at++) {
      if (!Number.isFinite(map[i]!)) throw new InputError(`an anomaly map holds ${map[i]} at pixel ${i}; it must be finite`);
      scores[at] = map[i]!;
      const label = labels[i]!;
      if (label > 0) overlaps[at] = 1 / areas[label]!;
      else good++;
    }
    regionCount += count;
  }
  if (regionCount === 0 || good === 0) return null;

  const order = fallingOrder(scores);
  let area = 0;
  let [rate, overlap] = [0, 0];
  let [goodSeen, overlapSeen] = [0, 0];
  for (let i = 0; i < pixels; ) {
    const threshold = scores[order[i]!]!;
    for (; i < pixels && scores[order[i]!] === threshold; i++) {
      const share = overlaps[order[i]!]!;
      if (share > 0) overlapSeen += share;
      else goodSeen++;
    }
    const [nextRate, nextOverlap] = [goodSeen / good, overlapSeen / regionCount];
    if (nextRate >= limit) {
      const atLimit = nextRate > rate ? overlap + ((nextOverlap - overlap) * (limit - rate)) / (nextRate - rate) : nextOverlap;
      return (area + ((limit - rate) * (overlap + atLimit)) / 2) / limit;
    }
    area += ((nextRate - rate) * (overlap + nextOverlap)) / 2;
    [rate, overlap] = [nextRate, nextOverlap];
  }
  return area / limit;
}

/** Indices of finite numbers in falling order: a radix sort on their bits, four passes of one byte. */
function fallingOrder(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = words[i] === 0x80000000 ? 0 : words[i]!; // -0 equals 0
    bits[i] = word >>> 31 ? word : ~(word | 0x80000000) >>> 0; // rising keys for falling values
  }
  let order = Uint32Array.from({ length: bits.length }, (_, i) => i);
  let next = new Uint32Array(bits.length);
  const counts = new Uint32Array(257);
  for (let shift = 0; shift < 32; shift += 8) {
    counts.fill(0);
    for (const word of bits) counts[((word >>> shift) & 255) + 1]!++;
    for (let i = 1; i < 257; i++) counts[i]! += counts[i - 1]!;
    for (const i of order) next[counts[(bits[i]! >>> shift) & 255]!++] = i;
    [order, next] = [next, order];
  }
  return order;
}
