import { isEvenColour, readWhole, type DecodedImage, type Picture } from "../io/image.ts";
import type { Size } from "../io/placement.ts";
import type { Device } from "../runtime/device.ts";
import { InputError, UsageError } from "../runtime/errors.ts";
import { fromArray, type Tensor } from "../tensor/tensor.ts";
import { readTile, type Cut, type Cutter } from "./cut.ts";
import type { FeatureMaker } from "./features.ts";
import { markedCells, markedTileCells, nothingMarked, type AnomalousImage } from "./marked_cells.ts";
import type { PictureRegion } from "./region.ts";

/** Features of the tiles of a photograph of this size, made before. */
export interface GivenTiles extends Size {
  /** Gives the features of the nth tile of the photograph's cut: height x width x channels, as `FeatureMaker.raw`. */
  readonly tileFeatures: (nth: number) => Promise<Float32Array>;
}

/** A good image to learn from. */
export interface TrainingImage {
  /** Name for errors, such as its file. Default: its number and class. */
  readonly name?: string;
  /** The class that it shows; each class has its own threshold. */
  readonly className: string;
  /**
   * The image, or its features: height x width x channels, as `FeatureMaker.raw` makes them; with tiles, those of each.
   */
  readonly image: Picture | Float32Array | GivenTiles;
  /** With features: true if the picture that they were made of shows one even colour. Default false. */
  readonly even?: boolean;
  /** Its region of interest; null or absent: all of it. Features must be of the region already. */
  readonly region?: PictureRegion | null;
}

/** Features of an image, or of one of its tiles. */
export interface View {
  /** `[1, H, W, C]`, before any standardising; whoever asks releases them. */
  readonly features: Tensor;
  /** The picture that they are made of; null for features that were given. */
  readonly shown: DecodedImage | null;
  /** True if it shows one even colour. */
  readonly isEven: boolean;
}

/** Makes a training's features of images, whole or tile by tile. */
export class ViewReader {
  readonly #device: Device;
  readonly #maker: FeatureMaker;
  readonly #cutter: Cutter | null;

  /** @param cutter null for whole images */
  constructor(device: Device, maker: FeatureMaker, cutter: Cutter | null) {
    [this.#device, this.#maker, this.#cutter] = [device, maker, cutter];
  }

  /**
   * The tiles of an image; null for one that is seen as a whole.
   * @param name the image's, for errors
   * @throws InputError if nothing of it counts; UsageError for features of a whole image where tiles are needed
   */
  cutOf({ image, region = null }: Pick<TrainingImage, "image" | "region">, name: string): Cut | null {
    if (!this.#cutter) return null;
    if (image instanceof Float32Array)
      throw new UsageError(`training: expected the features of each tile of ${name}, got those of a whole image`);
    const cut = this.#cutter.of(image, region);
    if (cut.tiles.length === 0) throw new InputError(`the region of interest leaves nothing of ${name}`);
    return cut;
  }

  /** The features of an image, or of each of its tiles. @throws UsageError for tiles where a whole image is needed */
  async *views(
    { image, even = false, region = null }: Pick<TrainingImage, "image" | "even" | "region">,
    cut: Cut | null,
  ): AsyncGenerator<View> {
    if (image instanceof Float32Array) yield this.#given(image, even);
    else if ("tileFeatures" in image) {
      if (!cut) throw new UsageError("training: features of tiles were given, and the training has none: set tile");
      for (const nth of cut.tiles.keys()) yield this.#given(await image.tileFeatures(nth), even);
    } else if (!cut) {
      const whole = await readWhole(image);
      yield this.#seen(region?.shown(whole) ?? whole);
    } else for (const tile of cut.tiles) yield this.#seen(await readTile(image, tile, region));
  }

  /**
   * The features of a real anomaly with its marked cells; of each tile with any.
   * @throws InputError if nothing is marked
   */
  async *anomalies(one: AnomalousImage): AsyncGenerator<{ readonly features: Tensor; readonly mask: Float32Array }> {
    const { preprocessing, extents } = this.#maker;
    const { inputSize, resize } = preprocessing;
    const cut = this.cutOf(one, one.name);
    if (!cut) {
      const mask = markedCells(one, resize, inputSize, extents.height);
      yield { features: this.#maker.rawOf([await readWhole(one.image)]), mask };
      return;
    }
    let isMarked = false;
    for (const tile of cut.tiles) {
      const mask = markedTileCells(one, tile.place, inputSize, extents.height);
      if (!mask) continue;
      isMarked = true;
      yield { features: this.#maker.rawOf([await readTile(one.image, tile, null)]), mask };
    }
    if (!isMarked) throw nothingMarked(one);
  }

  #seen(shown: DecodedImage): View {
    return { features: this.#maker.rawOf([shown]), shown, isEven: isEvenColour(shown) };
  }

  #given(features: Float32Array, isEven: boolean): View {
    const { height, width, channels } = this.#maker.extents;
    return { features: fromArray(this.#device, [1, height, width, channels], features), shown: null, isEven };
  }
}
