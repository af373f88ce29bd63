import type { Command } from "commander";
import { maskFrom, type DecodedImage } from "../../io/image.ts";
import type { DetectorConfig } from "../../detection/detector.ts";
import { PictureRegion } from "../../detection/region.ts";
import { decodeMask } from "../../node/images.ts";
import { InputError } from "../../runtime/errors.ts";
import { placementOf, type Rectangle } from "../../io/placement.ts";
import { say } from "../terminal/say.ts";

/** Flags for the part of each picture that counts. */
export interface RegionFlags {
  readonly roi?: string | undefined;
  readonly ignore?: string | undefined;
}

export function addRegionFlags(command: Command): Command {
  return command
    .option(
      "--roi <region>",
      "region of interest: x,y,width,height in pixels, or a mask file stretched over each image; use the same in train, eval and predict",
    )
    .option("--ignore <mask>", "mask file of what to ignore");
}

/** The flags as they were given, for a command that needs the same; with a space before. */
export const regionWords = ({ roi, ignore }: RegionFlags): string =>
  [
    ["roi", roi],
    ["ignore", ignore],
  ]
    .map(([flag, value]) => (value === undefined ? "" : ` --${flag} ${value}`))
    .join("");

/** Says so if a model learned from whole images and is to inspect parts, or the other way round. */
export function remarkOnRegion(run: string, trainedWithRegions: boolean, region: Region | null): void {
  if (trainedWithRegions === (region !== null)) return;
  say(
    trainedWithRegions
      ? `${run} was trained with --roi or --ignore; without the same here, good images may be called defective`
      : `${run} was trained on whole images; with --roi or --ignore good ones may be called defective: train with the same`,
  );
}

const KEPT = 2; // sizes of pictures: one, or it lying and standing

/**
 * A region of interest, and what is to be ignored in it. Masks are stretched over each picture; a rectangle is in its
 * pixels.
 */
export class Region {
  readonly #interest: DecodedImage | Rectangle | null;
  readonly #ignored: DecodedImage | null;
  readonly #bySize = new Map<string, PictureRegion>();

  private constructor(interest: DecodedImage | Rectangle | null, ignored: DecodedImage | null) {
    this.#interest = interest;
    this.#ignored = ignored;
  }

  /**
   * @returns null if everything counts
   * @throws InputError if a mask cannot be read
   */
  static async read({ roi: interest, ignore: ignored }: RegionFlags): Promise<Region | null> {
    if (interest === undefined && ignored === undefined) return null;
    const rectangle = interest === undefined ? null : rectangleOf(interest);
    return new Region(
      rectangle ?? (interest === undefined ? null : await decodeMask(interest)),
      ignored === undefined ? null : await decodeMask(ignored),
    );
  }

  /** True if a region of interest is given by its sides instead of a file. */
  static isRectangle(interest: string): boolean {
    return rectangleOf(interest) !== null;
  }

  /**
   * The part of a picture that counts.
   * @throws InputError if nothing does that a detector of this input would see
   */
  of(
    { width, height }: { readonly width: number; readonly height: number },
    name: string,
    { resize, size: inputSize }: DetectorConfig["input"],
  ): PictureRegion {
    const key = `${width}x${height}`;
    const known = this.#bySize.get(key);
    if (known) return known;
    const counted = this.#pixels(width, height);
    const region = counted.includes(1) ? new PictureRegion(counted, { width, height }) : null;
    const placement = placementOf(resize, { width, height }, { width: inputSize, height: inputSize });
    if (!region?.inMap(placement, inputSize).includes(1))
      throw new InputError(`the region of interest leaves nothing of ${name} (${key} pixels)`);
    if (this.#bySize.size === KEPT) this.#bySize.clear();
    this.#bySize.set(key, region);
    return region;
  }

  #pixels(width: number, height: number): Uint8Array {
    const counted = new Uint8Array(width * height).fill(1);
    const keep = (isKept: (at: number, x: number, y: number) => boolean): void => {
      for (let at = 0; at < counted.length; at++) if (!isKept(at, at % width, Math.floor(at / width))) counted[at] = 0;
    };
    const interest = this.#interest;
    if (interest && "left" in interest) {
      const { left, top, width: columns, height: rows } = interest;
      keep((_at, x, y) => x >= left && x < left + columns && y >= top && y < top + rows);
    } else if (interest) {
      const mask = maskFrom(interest, width, height);
      keep((at) => mask[at] !== 0);
    }
    if (this.#ignored) {
      const mask = maskFrom(this.#ignored, width, height);
      keep((at) => mask[at] === 0);
    }
    return counted;
  }
}

/** "x,y,width,height"; null for other text. */
export function rectangleOf(text: string): Rectangle | null {
  const found = /^(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})$/.exec(text);
  if (!found) return null;
  const [left, top, width, height] = found.slice(1).map(Number) as [number, number, number, number];
  return { left, top, width, height };
}
