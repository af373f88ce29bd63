import { orderedWord, wordInOrder } from "./float_order.ts";
import { pixelsOf, requireValid, type PixelRanking, type ScoredMap } from "./pixels.ts";
import { connectedRegions } from "./regions.ts";

const PAGE_BITS = 14; // bits of the mantissa: bins are 2^-14 of a power of two wide
const PAGE = 1 << PAGE_BITS;
const PAGE_SHIFT = 23; // sign and exponent select the page
const BIN_SHIFT = PAGE_SHIFT - PAGE_BITS;
const PAGES = 1 << (32 - PAGE_SHIFT);

/** The bins between two neighbouring powers of two, ascending. */
interface Page {
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
  /**
   * Sum of 1 / area of the region over the bin's defective pixels: their contribution to the sum of the regions'
   * overlaps.
   */
  readonly overlaps: Float64Array;
}

const BYTES_A_PAGE = 3 * 8 * PAGE;

/**
 * A histogram of the pixels of any number of images; nothing else of an image is kept. A bin holds the f32 numbers that
 * share sign, exponent and the first 14 bits of the mantissa, so the range need not be known. Bins are allocated on
 * demand, 393 KB for each power of two: some MB for the maps of a detector, at most 201 MB.
 *
 * Counts at the bins' edges are exact; only the order within a bin is lost. `rankingBounds` bounds the effect.
 */
export class PixelHistogram {
  readonly #pages: (Page | undefined)[] = Array.from({ length: PAGES }, () => undefined);
  #images = 0;
  #positives = 0;
  #negatives = 0;
  #regions = 0;

  /** Number of pixels so far. */
  get pixels(): number {
    return this.#positives + this.#negatives;
  }

  /** Memory that the bins take, in bytes. */
  get bytes(): number {
    return BYTES_A_PAGE * this.#pages.filter((page) => page !== undefined).length;
  }

  /** @throws InputError as `rankPixels` */
  add(image: ScoredMap): void {
    const { map, mask, counted, width, height } = image;
    requireValid(image, `image ${this.#images}`);
    this.#images++;
    const regions = mask && connectedRegions(mask, width, height);
    const words = new Uint32Array(map.buffer, map.byteOffset, map.length);
    let marked = 0;
    for (let i = 0; i < words.length; i++) {
      if (counted?.[i] === 0) continue;
      const ordered = orderedWord(words[i]!);
      const page = (this.#pages[ordered >>> PAGE_SHIFT] ??= newPage());
      const bin = (ordered >>> BIN_SHIFT) & (PAGE - 1);
      const region = regions ? regions.labels[i]! : 0;
      if (region === 0) {
        page.negatives[bin]!++;
        continue;
      }
      marked++;
      page.positives[bin]!++;
      page.overlaps[bin]! += 1 / regions!.areas[region - 1]!;
    }
    this.#regions += regions?.count ?? 0;
    this.#positives += marked;
    this.#negatives += pixelsOf(image) - marked;
  }

  /** The ranking of the nonempty bins, by their lower edges: all pixels of a bin count as tied. */
  ranking(): PixelRanking {
    let count = 0;
    this.#eachBin(() => count++);
    const words = new Uint32Array(count);
    const [truePositives, falsePositives, overlaps] = [
      new Float64Array(count),
      new Float64Array(count),
      new Float64Array(count),
    ];
    let [at, tp, fp, overlap] = [0, 0, 0, 0];
    this.#eachBin((page, bin, ordered) => {
      tp += page.positives[bin]!;
      fp += page.negatives[bin]!;
      overlap += page.overlaps[bin]!;
      words[at] = wordInOrder(ordered);
      truePositives[at] = tp;
      falsePositives[at] = fp;
      overlaps[at++] = tp === this.#positives ? 1 : overlap / this.#regions;
    });
    const thresholds = new Float32Array(words.buffer);
    return {
      positives: this.#positives,
      negatives: this.#negatives,
      thresholds,
      truePositives,
      falsePositives,
      overlaps,
    };
  }

  /** Visits the nonempty bins, from the highest. */
  #eachBin(visit: (page: Page, bin: number, ordered: number) => void): void {
    for (let index = PAGES - 1; index >= 0; index--) {
      const page = this.#pages[index];
      if (!page) continue;
      for (let bin = PAGE - 1; bin >= 0; bin--) {
        if (page.positives[bin] === 0 && page.negatives[bin] === 0) continue;
        visit(page, bin, ((index << PAGE_SHIFT) | (bin << BIN_SHIFT)) >>> 0);
      }
    }
  }
}

const newPage = (): Page => ({
  positives: new Float64Array(PAGE),
  negatives: new Float64Array(PAGE),
  overlaps: new Float64Array(PAGE),
});
