import { readWhole } from "../io/image.ts";
import type { Size } from "../io/placement.ts";
import type { Scoring } from "../methods/method.ts";
import { OptionError, UsageError } from "../runtime/errors.ts";
import { release, type Tensor } from "../tensor/tensor.ts";
import type { BatchScorer } from "./batch_scorer.ts";
import { countedInTiles, Cutter, isTiled, readTile, type Cut, type TiledInput } from "./cut.ts";
import { mapPlacementOf, type DetectorInput } from "./input.ts";
import type { FeatureRegions, ImageRegion, InputImage, InspectOptions, TiledFeatures } from "./inspection.ts";
import { scorePhotograph, type ScoresOrProblem } from "./photograph_scores.ts";
import type { PictureRegion } from "./region.ts";

const TILES = 8; // that are scored at a time

/** Scores photographs, whole or by their tiles, in batches. */
export class ImageScorer {
  readonly #batches: BatchScorer;
  readonly #input: DetectorInput;
  readonly #scoring: Scoring;
  readonly #tiled: { readonly input: TiledInput; readonly cutter: Cutter } | null;

  constructor(batches: BatchScorer, { input, scoring }: { readonly input: DetectorInput; readonly scoring: Scoring }) {
    [this.#batches, this.#input, this.#scoring] = [batches, input, scoring];
    this.#tiled = isTiled(input) ? { input, cutter: new Cutter(input) } : null;
  }

  /**
   * Scores images.
   * @throws OptionError if an image is missing, or a region has another size than its image or no pixel in the map
   */
  async scoreImages(images: readonly InputImage[], options: InspectOptions): Promise<readonly ScoresOrProblem[]> {
    images.forEach(({ image }, i) => {
      const { data, read } = (image ?? {}) as { readonly data?: unknown; readonly read?: unknown };
      if (!(data ?? read))
        throw new OptionError(`inspect: expected each image as { image, region? }; image ${i} has none`);
    });
    const { batch } = options;
    if (batch !== undefined && !(Number.isInteger(batch) && batch >= 1))
      throw new OptionError(`inspect: expected batch to be a whole number of at least 1, got ${batch}`);
    return this.#tiled ? this.#scoreByTiles(images, options) : this.#scoreWhole(images, batch ?? images.length);
  }

  /**
   * Scores features of whole images, before any standardising.
   * @throws OptionError as `scoreImages`; UsageError for a detector with tiles
   */
  async scoreFeatures(features: Tensor, { images = [] }: FeatureRegions): Promise<readonly ScoresOrProblem[]> {
    if (this.#tiled) throw new UsageError("inspectFeatures: the detector has tiles: use inspectTiledFeatures");
    return this.#batches.scoreFeatures(features, this.#countedPixels(images));
  }

  /**
   * Scores a photograph by the features of its tiles.
   * @throws OptionError as `scoreImages`; UsageError for a detector without tiles
   */
  async scoreTiledFeatures(
    { image, region = null, read }: TiledFeatures,
    { batch = TILES, onProgress }: InspectOptions,
  ): Promise<ScoresOrProblem> {
    if (!this.#tiled) throw new UsageError("inspectTiledFeatures: the detector has no tiles: use inspectFeatures");
    const cut = this.#cutOf(this.#tiled.cutter, image, region, 0);
    const score = async (tiles: Cut["tiles"], first: number): Promise<readonly ScoresOrProblem[]> => {
      const features = await read(first, tiles.length);
      const reads = this.#batches.scoreFeatures(features, countedInTiles(tiles, cut, this.#input.size));
      release(features);
      return reads;
    };
    const onTiles = (done: number): void => onProgress?.({ image: 0, done, total: cut.tiles.length });
    return scorePhotograph(cut, this.#tiled.input, this.#scoring, batch, score, onTiles);
  }

  async #scoreWhole(images: readonly InputImage[], batch: number): Promise<readonly ScoresOrProblem[]> {
    const counting = this.#countedPixels(images);
    const pixels = this.#input.size ** 2;
    const reads: ScoresOrProblem[] = [];
    for (let first = 0; first < images.length; first += batch) {
      const shown = images.slice(first, first + batch).map(async ({ image, region }) => {
        const whole = await readWhole(image);
        return region?.shown(whole) ?? whole;
      });
      const counted = counting?.subarray(first * pixels, (first + batch) * pixels) ?? null;
      reads.push(...(await this.#batches.scoreImages(await Promise.all(shown), counted)));
    }
    return reads;
  }

  async #scoreByTiles(
    images: readonly InputImage[],
    { batch = TILES, onProgress }: InspectOptions,
  ): Promise<readonly ScoresOrProblem[]> {
    const { input, cutter } = this.#tiled!;
    const cuts = images.map(({ image, region }, i) => this.#cutOf(cutter, image, region ?? null, i));
    const reads: ScoresOrProblem[] = [];
    for (const [i, cut] of cuts.entries()) {
      const { image } = images[i]!;
      const score = async (tiles: Cut["tiles"]): Promise<readonly ScoresOrProblem[]> => {
        const shown = await Promise.all(tiles.map((tile) => readTile(image, tile, cut.region)));
        return this.#batches.scoreImages(shown, countedInTiles(tiles, cut, input.size));
      };
      const onTiles = (done: number): void => onProgress?.({ image: i, done, total: cut.tiles.length });
      reads.push(await scorePhotograph(cut, input, this.#scoring, batch, score, onTiles));
    }
    return reads;
  }

  #cutOf(cutter: Cutter, image: Size, region: PictureRegion | null, nth: number): Cut {
    const cut = cutter.of(image, region);
    if (cut.tiles.length === 0) throw withoutPixel(nth, cut.map);
    return cut;
  }

  /** The pixels that count in a batch of maps, `[N, size, size]`; null if all do. */
  #countedPixels(images: readonly ImageRegion[]): Float32Array | null {
    if (!images.some(({ region }) => region)) return null;
    const { size } = this.#input;
    const map = { width: size, height: size };
    const all = new Float32Array(images.length * size ** 2).fill(1);
    images.forEach(({ image, region }, i) => {
      const counted = region?.inMap(mapPlacementOf(this.#input, image, map), map);
      if (counted && !counted.includes(1)) throw withoutPixel(i, map);
      if (counted) all.set(counted, i * size ** 2);
    });
    return all;
  }
}

const withoutPixel = (nth: number, { width, height }: Cut["map"]): OptionError =>
  new OptionError(`inspect: the region of image ${nth} has no pixel in its map of ${width} x ${height}`);
