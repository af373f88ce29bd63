import { orderedWord } from "./float_order.ts";
import type { ScoredMap } from "./pixels.ts";
import { connectedRegions } from "./regions.ts";

const BIN_SHIFT = 16; // keeps sign, exponent and 7 bits of the mantissa: 128 bins per power of two
const BINS = 1 << (32 - BIN_SHIFT);

/** A coarse histogram of an image's pixels, of a few KB, for resampling with weights. */
export interface ImageHistogram {
  /** The nonempty bins, ascending; higher bins hold larger values, in the same way for all images. */
  readonly bins: Uint16Array;
  readonly negatives: Uint32Array;
  /** Defective pixels, and the sum of 1 / area of their regions; null if no pixel is defective. */
  readonly defects: {
    readonly positives: Uint32Array;
    readonly overlaps: Float64Array;
    readonly regions: number;
  } | null;
}

/** @param image a valid one, as `requireValid` checks */
export function imageHistogram({ map, mask, counted, width, height }: ScoredMap): ImageHistogram {
  const found = mask && connectedRegions(mask, width, height);
  const regions = found && found.count > 0 ? found : null;
  const words = new Uint32Array(map.buffer, map.byteOffset, map.length);
  const [positives, negatives, overlaps] = [new Uint32Array(BINS), new Uint32Array(BINS), new Float64Array(BINS)];
  for (let i = 0; i < words.length; i++) {
    if (counted?.[i] === 0) continue;
    const bin = orderedWord(words[i]!) >>> BIN_SHIFT;
    const region = regions ? regions.labels[i]! : 0;
    if (region === 0) {
      negatives[bin]!++;
    } else {
      positives[bin]!++;
      overlaps[bin]! += 1 / regions!.areas[region - 1]!;
    }
  }
  const bins = Uint16Array.from(
    Array.from(negatives.keys()).filter((bin) => negatives[bin] !== 0 || positives[bin] !== 0),
  );
  return {
    bins,
    negatives: Uint32Array.from(bins, (bin) => negatives[bin]!),
    defects: regions && {
      positives: Uint32Array.from(bins, (bin) => positives[bin]!),
      overlaps: Float64Array.from(bins, (bin) => overlaps[bin]!),
      regions: regions.count,
    },
  };
}
