import { maskFrom, type DecodedImage } from "../../io/image.ts";
import { countedInMap } from "../../models/defects.ts";
import { decodeMask } from "../../node/images.ts";
import type { Placement, Rectangle } from "../../tensor/placement.ts";

/** Which pixels of a picture count, and of its map. */
export interface Counted {
  readonly inPicture: Uint8Array;
  readonly inMap: Uint8Array;
  /** Whether any does, so that it can be judged. */
  readonly any: boolean;
}

const KEPT = 4; // sizes of pictures

/** A region of interest, and what is to be ignored in it. Masks are stretched over each picture; a rectangle is in its pixels. */
export class Region {
  readonly #interest: DecodedImage | Rectangle | null;
  readonly #ignored: DecodedImage | null;
  readonly #bySize = new Map<string, Counted>();

  private constructor(interest: DecodedImage | Rectangle | null, ignored: DecodedImage | null) {
    this.#interest = interest;
    this.#ignored = ignored;
  }

  /**
   * @param interest a mask's file, or "x,y,width,height"; what it does not mark does not count
   * @param ignored a mask's file; what it marks does not count
   * @returns null if everything counts
   * @throws InputError if a mask cannot be read
   */
  static async read(interest: string | undefined, ignored: string | undefined): Promise<Region | null> {
    if (interest === undefined && ignored === undefined) return null;
    const rectangle = interest === undefined ? null : rectangleOf(interest);
    return new Region(rectangle ?? (interest === undefined ? null : await decodeMask(interest)), ignored === undefined ? null : await decodeMask(ignored));
  }

  /** Whether a region of interest is named by its sides, not by a file. */
  static isRectangle(interest: string): boolean {
    return rectangleOf(interest) !== null;
  }

  /** What counts in a picture that is placed so in a map of `size` x `size`. */
  in({ width, height }: { readonly width: number; readonly height: number }, placement: Placement, size: number): Counted {
    const key = `${width}x${height}`;
    const known = this.#bySize.get(key);
    if (known) return known;
    const inPicture = this.#pixels(width, height);
    const inMap = countedInMap(inPicture, { width, height }, placement, size);
    const counted = { inPicture, inMap, any: inMap.includes(1) };
    if (this.#bySize.size === KEPT) this.#bySize.clear();
    this.#bySize.set(key, counted);
    return counted;
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
