import { readWhole } from "../io/image.ts";
import type { Size } from "../io/placement.ts";
import type { Model, Scoring } from "../methods/method.ts";
import { OptionError, UsageError } from "../runtime/errors.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import { CapturedScoring } from "./captured_scoring.ts";
import { countedInTiles, Cutter, isTiled, readTile, type Cut, type TiledInput } from "./cut.ts";
import type { FeatureExtractor } from "./features.ts";
import { mapPlacementOf, type DetectorInput } from "./input.ts";
import type { FeatureRegions, ImageRegion, InputImage, InspectOptions, TiledFeatures } from "./inspection.ts";
import { scorePhotograph, type ScoresOrProblem } from "./photograph_scores.ts";
import type { PictureRegion } from "./region.ts";
import { imageScores, readScores, type ImageScores } from "./scoring.ts";

const TILES = 8; // that are scored at a time

/** Scores photographs, whole or by their tiles, by a model and the backbone before it. */
export class ImageScorer {
  readonly #features: FeatureExtractor;
  readonly #model: Model;
  readonly #input: DetectorInput;
  readonly #scoring: Scoring;
  readonly #captured: CapturedScoring;
  readonly #tiled: { readonly input: TiledInput; readonly cutter: Cutter } | null;

  constructor(
    features: FeatureExtractor,
    model: Model,
    { input, scoring }: { readonly input: DetectorInput; readonly scoring: Scoring },
  ) {
    [this.#features, this.#model, this.#input, this.#scoring] = [features, model, input, scoring];
    this.#tiled = isTiled(input) ? { input, cutter: new Cutter(input) } : null;
    const score = (made: Tensor, counted: Tensor | null): ImageScores => this.#scoresOf(made, counted);
    this.#captured = new CapturedScoring(model.weights.device, features, score, isTiled(input));
  }

  /** Gives the storage of what was captured back. */
  release(): void {
    this.#captured.release();
  }

  /** Compiles the kernels that a batch of so many images, or tiles, needs. */
  prepare(images: number, regions: boolean): Promise<void> {
    return this.#captured.prepare(images, { regions });
  }

  /** Scores preprocessed images, `[N, size, size, 3]`, and leaves the results on the device. */
  score(pixels: Tensor): ImageScores {
    return this.#scoresOf(this.#features.extractFrom(pixels), null);
  }

  /**
   * Scores images.
   * @throws OptionError if an image is missing, or a region has another size than its image or no pixel in the map
   */
  async scoreImages(images: readonly InputImage[], { batch }: InspectOptions): Promise<readonly ScoresOrProblem[]> {
    images.forEach(({ image }, i) => {
      const { data, read } = (image ?? {}) as { readonly data?: unknown; readonly read?: unknown };
      if (!(data ?? read))
        throw new OptionError(`inspect: expected each image as { image, region? }; image ${i} has none`);
    });
    if (batch !== undefined && !(Number.isInteger(batch) && batch >= 1))
      throw new OptionError(`inspect: expected batch to be a whole number of at least 1, got ${batch}`);
    return this.#tiled ? this.#scoreByTiles(images, batch ?? TILES) : this.#scoreWhole(images, batch ?? images.length);
  }

  /**
   * Scores features of whole images, before any standardising.
   * @throws OptionError as `scoreImages`; UsageError for a detector with tiles
   */
  async scoreFeatures(features: Tensor, { images = [] }: FeatureRegions): Promise<readonly ScoresOrProblem[]> {
    if (this.#tiled) throw new UsageError("inspectFeatures: the detector has tiles: use inspectTiledFeatures");
    return this.#started(features, this.#countedPixels(images));
  }

  /**
   * Scores a photograph by the features of its tiles.
   * @throws OptionError as `scoreImages`; UsageError for a detector without tiles
   */
  async scoreTiledFeatures(
    { image, region = null, read }: TiledFeatures,
    { batch = TILES }: InspectOptions,
  ): Promise<ScoresOrProblem> {
    if (!this.#tiled) throw new UsageError("inspectTiledFeatures: the detector has no tiles: use inspectFeatures");
    const cut = this.#cutOf(this.#tiled.cutter, image, region, 0);
    return scorePhotograph(cut, this.#tiled.input, this.#scoring, batch, async (tiles, first) => {
      const features = await read(first, tiles.length);
      const reads = this.#started(features, countedInTiles(tiles, cut, this.#input.size));
      release(features);
      return reads;
    });
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
      reads.push(...(await this.#captured.scoresOf(await Promise.all(shown), counted)));
    }
    return reads;
  }

  async #scoreByTiles(images: readonly InputImage[], batch: number): Promise<readonly ScoresOrProblem[]> {
    const { input, cutter } = this.#tiled!;
    const cuts = images.map(({ image, region }, i) => this.#cutOf(cutter, image, region ?? null, i));
    const reads: ScoresOrProblem[] = [];
    for (const [i, cut] of cuts.entries()) {
      const { image } = images[i]!;
      reads.push(
        await scorePhotograph(cut, input, this.#scoring, batch, async (tiles) => {
          const shown = await Promise.all(tiles.map((tile) => readTile(image, tile, cut.region)));
          return this.#captured.scoresOf(shown, countedInTiles(tiles, cut, input.size));
        }),
      );
    }
    return reads;
  }

  #cutOf(cutter: Cutter, image: Size, region: PictureRegion | null, nth: number): Cut {
    const cut = cutter.of(image, region);
    if (cut.tiles.length === 0) throw withoutPixel(nth, cut.map);
    return cut;
  }

  #started(features: Tensor, counting: Float32Array | null): Promise<readonly ScoresOrProblem[]> {
    const { device } = this.#model.weights;
    using _scope = device.scope();
    const { size } = this.#input;
    const counted = counting && fromArray(device, [features.shape[0]!, size, size, 1], counting);
    return readScores(this.#scoresOf(this.#features.standardise(features), counted));
  }

  #scoresOf(features: Tensor, counted: Tensor | null): ImageScores {
    return imageScores(this.#model.score(features), this.#scoring, this.#input.size, counted);
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
