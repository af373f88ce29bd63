import { maskFrom, type DecodedImage } from "../io/image.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { Placement, Rectangle, Size } from "../io/placement.ts";
import { mapPlacementOf, mapSizeOf, type DetectorInput } from "./input.ts";

/**
 * A region of interest in pictures of one size. Before a detector sees a picture, pixels outside the region are
 * replaced by mirrored ones from inside, so results depend on the region alone.
 */
export class PictureRegion {
  readonly width: number;
  readonly height: number;
  /** Row-major, width * height: 1 inside the region, else 0. */
  readonly counted: Uint8Array;
  #sources: Uint32Array | null = null; // made when first needed, for all pictures

  /** @throws OptionError if `counted` has another size, or no 1 in it */
  constructor(counted: Uint8Array, { width, height }: Size) {
    if (counted.length !== width * height || !counted.includes(1)) {
      const got = `${counted.length} values${counted.includes(1) ? "" : " without any 1"}`;
      throw new OptionError(
        `expected ${width} x ${height} values, 1 for each pixel of the region and at least one of them, got ${got}`,
      );
    }
    [this.counted, this.width, this.height] = [counted, width, height];
  }

  /**
   * Replaces pixels outside the region by mirror images of those inside. Call it before resizing, whose filters reach
   * across the border.
   * @throws OptionError for a picture of another size
   */
  shown({ data, width, height }: DecodedImage): DecodedImage {
    requireRegionOf(this, { width, height });
    const own = data.slice(); // aligned
    const pixels = new Uint32Array(own.buffer);
    const sources = (this.#sources ??= sourcesOf(this.counted, this));
    for (let i = 0; i < pixels.length; i++) pixels[i] = pixels[sources[i]!]!;
    return { width, height, data: own };
  }

  /**
   * Transfers the region to a map: a map pixel counts if its nearest pixel in the picture does.
   * @param size of the map
   * @returns row-major, of the map's size: 1 where a pixel counts; 0 elsewhere and outside the picture
   */
  inMap({ source, target }: Placement, size: Size): Uint8Array {
    const inMap = new Uint8Array(size.width * size.height);
    for (let y = 0; y < target.height; y++) {
      const row = source.top + Math.floor(((y + 0.5) * source.height) / target.height);
      for (let x = 0; x < target.width; x++) {
        const column = source.left + Math.floor(((x + 0.5) * source.width) / target.width);
        inMap[(target.top + y) * size.width + target.left + x] = this.counted[row * this.width + column]!;
      }
    }
    return inMap;
  }
}

/** @throws OptionError for a region of another size than its picture */
export function requireRegionOf(region: Size, { width, height }: Size): void {
  if (width === region.width && height === region.height) return;
  throw new OptionError(
    `expected a picture of ${region.width} x ${region.height} pixels, the size of its region, got ${width} x ${height}`,
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

  /** @param interest null for all; `ignored` null for nothing */
  constructor(interest: DecodedImage | Rectangle | null, ignored: DecodedImage | null) {
    [this.#interest, this.#ignored] = [interest, ignored];
  }

  /**
   * The part of a picture that counts.
   * @throws InputError if nothing does that a detector of this input would see
   */
  of({ width, height }: Size, name: string, input: DetectorInput): PictureRegion {
    const key = `${width}x${height}`;
    const known = this.#bySize.get(key);
    if (known) return known;
    const counted = this.#pixels(width, height);
    const region = counted.includes(1) ? new PictureRegion(counted, { width, height }) : null;
    const map = mapSizeOf(input, { width, height });
    if (!region?.inMap(mapPlacementOf(input, { width, height }, map), map).includes(1))
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

/** Ground truth of an image. */
export interface Truth {
  readonly defective: boolean;
  /** Row-major, 1 in a defect; null if the image has no mask. */
  readonly mask: Uint8Array | null;
}

/**
 * Restricts ground truth to a region: marks outside it are no defects, and an image with no other marks is good.
 * @param counted the region at the mask's size, as `PictureRegion.inMap` returns it; null if everything counts
 */
export function truthWithin(
  { defective, mask }: Truth,
  counted: Uint8Array | null,
): Truth & { readonly counted: Uint8Array | null } {
  if (!counted || !mask) return { defective, mask, counted };
  const inside = mask.map((marked, i) => marked & counted[i]!);
  return { defective: defective && (inside.includes(1) || !mask.includes(1)), mask: inside, counted };
}

/**
 * The source of each pixel's colour: itself inside the region, else its mirror image about the nearest pixel inside.
 * Where the region is too narrow for that, the distance behind its border is halved until a pixel is found.
 */
function sourcesOf(counted: Uint8Array, { width, height }: Size): Uint32Array {
  const sources = new Uint32Array(counted.length);
  const rows = nearestRows(counted, width);
  const nearest = new Int32Array(width);
  for (let y = 0; y < height; y++) {
    nearestColumns(rows.subarray(y * width, (y + 1) * width), y, nearest);
    for (let x = 0; x < width; x++) {
      const [column, row] = [nearest[x]!, rows[y * width + nearest[x]!]!];
      let [right, down] = [column - x, row - y];
      const isCounted = (u: number, v: number): boolean =>
        u >= 0 && v >= 0 && u < width && v < height && counted[v * width + u] === 1;
      while (!isCounted(column + right, row + down)) [right, down] = [Math.trunc(right / 2), Math.trunc(down / 2)];
      sources[y * width + x] = (row + down) * width + column + right;
    }
  }
  return sources;
}

/** For each pixel, the row of the nearest counted pixel in its column; -1 if the column has none. */
function nearestRows(counted: Uint8Array, width: number): Int32Array {
  const rows = new Int32Array(counted.length);
  const last = new Int32Array(width).fill(-1);
  for (let i = 0; i < counted.length; i++) {
    const x = i % width;
    if (counted[i]) last[x] = (i - x) / width;
    rows[i] = last[x]!;
  }
  last.fill(-1);
  for (let i = counted.length - 1; i >= 0; i--) {
    const x = i % width;
    const y = (i - x) / width;
    if (counted[i]) last[x] = y;
    if (last[x]! >= 0 && (rows[i]! < 0 || last[x]! - y < y - rows[i]!)) rows[i] = last[x]!;
  }
  return rows;
}

/**
 * For each pixel of row `y`, the column of the nearest counted pixel, after Felzenszwalb and
 * Huttenlocher, "Distance Transforms of Sampled Functions": the lower envelope of a parabola for each column.
 */
function nearestColumns(rows: Int32Array, y: number, nearest: Int32Array): void {
  const columns: number[] = [];
  const starts: number[] = []; // from where on the envelope is each column's
  const height = (column: number): number => (rows[column]! - y) ** 2 + column ** 2;
  for (let column = 0; column < rows.length; column++) {
    if (rows[column]! < 0) continue;
    let start = -Infinity;
    for (; columns.length > 0; columns.pop(), starts.pop()) {
      const before = columns.at(-1)!;
      start = (height(column) - height(before)) / (2 * (column - before));
      if (start > starts.at(-1)!) break;
      start = -Infinity;
    }
    columns.push(column);
    starts.push(start);
  }
  let at = 0;
  for (let x = 0; x < rows.length; x++) {
    while (at + 1 < starts.length && starts[at + 1]! < x) at++;
    nearest[x] = columns[at]!;
  }
}
