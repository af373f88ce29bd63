import { InputError, OptionError } from "../runtime/errors.ts";
import { positionOf, type AnomalyMap } from "./anomaly_map.ts";
import { requireExtent } from "./extent.ts";
import type { DecodedImage } from "./image.ts";
import type { Size } from "./placement.ts";

type Triple = readonly [number, number, number];

// Control points in OKLab (lightness, green-red, blue-yellow), evenly spaced over 0..1. Lightness only rises, so the
// order survives greyscale printing and colour blindness: violet, crimson, orange, pale yellow.
const POINTS: readonly Triple[] = [
  [0.36, 0.1, -0.15],
  [0.48, 0.19, -0.09],
  [0.59, 0.19, 0.04],
  [0.69, 0.13, 0.12],
  [0.81, 0.04, 0.16],
  [0.94, -0.02, 0.11],
];

// Below FADE_IN nothing is painted; above it alpha rises smoothly and stays below 1, so the photograph always shows.
const FADE_IN = 0.12;
const FULL = 0.6;
const ALPHA = 0.9;

const LEVELS = 1024;

/**
 * The colour of one anomaly value: violet over orange to yellow, transparent for small t.
 *
 * @param t anomaly on the model's scale, 0 (normal) to 1; values outside are clamped
 * @returns red, green, blue, alpha: integers in 0..255, sRGB, alpha not premultiplied
 * @throws InputError if t is NaN
 */
export function heatColour(t: number): readonly [number, number, number, number] {
  if (Number.isNaN(t)) throw new InputError("heatColour: expected a number, got NaN");
  const clamped = Math.min(Math.max(t, 0), 1);
  const at = clamped * (POINTS.length - 1);
  const index = Math.min(Math.floor(at), POINTS.length - 2);
  const from = POINTS[index] as Triple;
  const to = POINTS[index + 1] as Triple;
  const mix = (channel: 0 | 1 | 2) => from[channel] + (to[channel] - from[channel]) * (at - index);
  const rise = Math.min(Math.max((clamped - FADE_IN) / (FULL - FADE_IN), 0), 1);
  return [...rgbOfOklab(mix(0), mix(1), mix(2)), Math.round(255 * ALPHA * rise * rise * (3 - 2 * rise))];
}

/** An anomaly map with the scale of its model's heat maps. An `Inspection` is one. */
export interface HeatMap extends AnomalyMap {
  /** Values drawn as nothing and as the strongest heat, 0 < low < high; logarithmic in between. */
  readonly heat: readonly [low: number, high: number];
}

/**
 * Colours the part of an anomaly map that shows its photograph, as a layer to lay over it.
 * @param inspection the detector's result for the photograph
 * @returns RGBA of the part's size in the map, alpha not premultiplied: nothing is painted where nothing looks wrong
 * @throws ShapeError if the map does not have the values of its size; InputError unless 0 < low < high, or if a value
 * is NaN
 */
export function heatLayer(inspection: HeatMap): DecodedImage {
  const { width, height } = inspection.placement.target;
  return {
    width,
    height,
    data: coloured(positionsOnScale("heatLayer", shownPart(inspection), inspection.heat, LEVELS)),
  };
}

let colours: (readonly [number, number, number, number])[] | null = null; // of all levels, made when first needed

/** The colours of levels, RGBA. */
function coloured(levels: Uint16Array): Uint8Array {
  colours ??= Array.from({ length: LEVELS }, (_, level) => heatColour(level / (LEVELS - 1)));
  const data = new Uint8Array(levels.length * 4);
  for (let i = 0; i < levels.length; i++) data.set(colours[levels[i]!]!, i * 4);
  return data;
}

/**
 * The steps of a logarithmic scale that values lie on, from 0 at `low` and below to `steps - 1` at `high` and above.
 * @throws InputError unless 0 < low < high, or if a value is NaN
 */
function positionsOnScale(
  name: string,
  map: Float32Array,
  [low, high]: readonly [low: number, high: number],
  steps: number,
): Uint16Array {
  requireScale(name, map, [low, high]);
  const scale = (steps - 1) / Math.log(high / low);
  return Uint16Array.from(map, (value) => Math.round(scale * Math.log(Math.min(Math.max(value, low), high) / low)));
}

/** @throws InputError unless 0 < low < high, or if a value is NaN */
function requireScale(name: string, map: Float32Array, [low, high]: readonly [low: number, high: number]): void {
  if (!(low > 0 && low < high))
    throw new InputError(`${name}: expected 0 < low < high, got low ${low} and high ${high}`);
  const at = map.findIndex(Number.isNaN);
  if (at >= 0) throw new InputError(`${name}: map[${at}] is NaN: the model that made it has diverged`);
}

/**
 * The part of an anomaly map that shows its photograph, row-major.
 * @throws ShapeError if the map does not have the values of its size
 */
export function shownPart({ map, size, placement }: AnomalyMap): Float32Array {
  requireExtent("an anomaly map", "map", map, size.width, size.height);
  const { left, top, width, height } = placement.target;
  if (width === size.width) return map.subarray(top * width, (top + height) * width);
  const part = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * size.width + left;
    part.set(map.subarray(from, from + width), y * width);
  }
  return part;
}

/** Options of painting a heat map. */
export interface PaintOptions {
  /** 0 paints nothing, 1 as much as `heatLayer`. Default 1. */
  readonly opacity?: number;
}

/**
 * Paints an inspection's anomaly map over its photograph, on the scale of the model, so that colours compare between
 * photographs. The map is enlarged bilinearly.
 *
 * @param image the photograph that was inspected, or a copy of it of another size; it stays as it is
 * @param inspection the detector's result for it
 * @returns a new picture of the image's size
 * @throws ShapeError if image or map do not have the pixels that they should; InputError if a value is NaN; OptionError
 * for an opacity out of range
 */
export function paintHeat(image: DecodedImage, inspection: HeatMap, options: PaintOptions = {}): DecodedImage {
  requireExtent("paintHeat", "image", { length: image.data.length / 4 }, image.width, image.height);
  return new HeatPainter(image, inspection, options).paint(image, 0);
}

/** Paints heat as `paintHeat` does, over some rows of a photograph at a time. */
export class HeatPainter {
  readonly #width: number; // of the layer
  readonly #levels: (row: number) => Uint16Array;
  readonly #columns: readonly Between[];
  readonly #rows: ReadonlyMap<number, Between>;
  readonly #opacity: number;
  readonly #painted = new Map<number, PaintedRow>(); // the last few rows of the layer

  /**
   * @param image the size of the photograph, or of a copy of it
   * @throws as `paintHeat`
   */
  constructor(image: Size, inspection: HeatMap, { opacity = 1 }: PaintOptions = {}) {
    if (!(opacity >= 0 && opacity <= 1))
      throw new OptionError(`paintHeat: expected opacity to be a number from 0 to 1, got ${opacity}`);
    const {
      photograph,
      placement: { source, target },
      heat,
    } = inspection;
    const map = shownPart(inspection);
    requireScale("paintHeat", map, heat);
    this.#width = target.width;
    this.#opacity = opacity;
    this.#levels = (row) =>
      positionsOnScale("paintHeat", map.subarray(row * target.width, (row + 1) * target.width), heat, LEVELS);
    this.#columns = interpolation(image.width, photograph.width, source.left, source.width, target.width);
    const rows = interpolation(image.height, photograph.height, source.top, source.height, target.height);
    this.#rows = new Map(rows.map((row) => [row.at, row]));
  }

  /**
   * Paints rows of the photograph.
   * @param rows all columns of them; they stay as they are
   * @param top the first of them
   */
  paint({ width, height, data }: DecodedImage, top: number): DecodedImage {
    const painted = new Uint8Array(data);
    const line = new Float32Array(4 * this.#width);
    for (let y = 0; y < height; y++) {
      const row = this.#rows.get(top + y);
      if (!row) continue;
      const [above, below] = [this.#row(row.first), this.#row(row.second)];
      if (above.isClear && below.isClear) continue;
      for (let i = 0; i < line.length; i++) {
        const upper = above.premultiplied[i]!;
        line[i] = upper + (below.premultiplied[i]! - upper) * row.share;
      }
      for (const { at: x, first, second, share } of this.#columns) {
        const [from, to] = [4 * first, 4 * second];
        const alpha = line[from + 3]! + (line[to + 3]! - line[from + 3]!) * share;
        if (alpha === 0) continue;
        const at = 4 * (y * width + x);
        for (let channel = 0; channel < 3; channel++) {
          const colour = line[from + channel]! + (line[to + channel]! - line[from + channel]!) * share;
          painted[at + channel] = Math.round(data[at + channel]! * (1 - alpha) + colour);
        }
      }
    }
    return { width, height, data: painted };
  }

  #row(row: number): PaintedRow {
    const known = this.#painted.get(row);
    if (known) return known;
    const colours = coloured(this.#levels(row));
    // Colours times alpha, then alpha: what bilinear interpolation may mix.
    const premultiplied = Float32Array.from(colours, (value, i) =>
      i % 4 === 3 ? (this.#opacity * value) / 255 : (this.#opacity * value * colours[i | 3]!) / 255,
    );
    const painted = { premultiplied, isClear: colours.every((value, i) => i % 4 !== 3 || value === 0) };
    const [oldest] = this.#painted.keys();
    if (this.#painted.size === KEPT_ROWS) this.#painted.delete(oldest!);
    this.#painted.set(row, painted);
    return painted;
  }
}

const KEPT_ROWS = 2;

/** A row of the layer. */
interface PaintedRow {
  readonly premultiplied: Float32Array;
  /** True if nothing is painted in it. */
  readonly isClear: boolean;
}

/** A pixel that is covered by a layer, between two of the layer's. */
interface Between {
  readonly at: number;
  readonly first: number;
  readonly second: number;
  /** The second one's share, from 0 to 1. */
  readonly share: number;
}

/**
 * The pixels along an axis of a picture that a layer covers.
 * @param extent pixels of the picture
 * @param inspected pixels of the photograph that was inspected, of which the layer covers `covered` from `from` on
 * @param layer pixels of the layer
 */
function interpolation(extent: number, inspected: number, from: number, covered: number, layer: number): Between[] {
  return Array.from({ length: extent }, (_, at) => {
    const pixel = ((at + 0.5) * inspected) / extent - 0.5;
    const position = positionOf(pixel, from, covered, 0, layer);
    const first = Math.floor(position);
    const isCovered = pixel + 0.5 >= from && pixel + 0.5 < from + covered;
    return { at, first, second: Math.min(first + 1, layer - 1), share: position - first, isCovered };
  }).filter(({ isCovered }) => isCovered);
}

/**
 * Quantises an anomaly map to 8 bits, for a page that draws its contours: 0 at `low` and below, 255 at `high` and
 * above, logarithmic in between.
 *
 * @param map anomaly values, row-major `[height, width]`
 * @returns one byte per pixel, row-major
 * @throws ShapeError if the map does not have width x height values, InputError unless 0 < low < high, or if a value is
 *   NaN
 */
export function logLevels(
  map: Float32Array,
  width: number,
  height: number,
  range: readonly [low: number, high: number],
): Uint8Array {
  requireExtent("logLevels", "map", map, width, height);
  return Uint8Array.from(positionsOnScale("logLevels", map, range, 256));
}

/** OKLab to 8-bit sRGB, clipped; the matrices are those of OKLab's definition (Ottosson 2020). */
function rgbOfOklab(lightness: number, greenRed: number, blueYellow: number): [number, number, number] {
  const l = (lightness + 0.3963377774 * greenRed + 0.2158037573 * blueYellow) ** 3;
  const m = (lightness - 0.1055613458 * greenRed - 0.0638541728 * blueYellow) ** 3;
  const s = (lightness - 0.0894841775 * greenRed - 1.291485548 * blueYellow) ** 3;
  return [
    encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encoded(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Linear light to an 8-bit sRGB value. */
function encoded(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(Math.max(value, 0), 1));
}
