import { InputError } from "../runtime/errors.ts";
import type { Size } from "./placement.ts";

/** Sample format of a TIFF's first picture. */
export interface TiffHeader extends Size {
  /** Bits per sample. */
  readonly bits: number;
  readonly kind: "unsigned" | "signed" | "float" | "complex";
  readonly samples: number;
  readonly colours: "grey" | "colour" | "palette" | "cmyk";
  /** True if 0 is white. */
  readonly isInverted: boolean;
  /**
   * The samples that tags call darkest and lightest; null if tags state none: then the full range of the type, for up
   * to 16 bits.
   */
  readonly range: readonly [low: number, high: number] | null;
}

const TAG = {
  subfileType: 254,
  width: 256,
  height: 257,
  bits: 258,
  photometric: 262,
  samples: 277,
  low: 280,
  high: 281,
  kind: 339,
  typedLow: 340,
  typedHigh: 341,
  dngVersion: 50706,
} as const;
const KINDS: Readonly<Record<number, TiffHeader["kind"]>> = {
  1: "unsigned",
  2: "signed",
  3: "float",
  4: "unsigned",
  5: "complex",
  6: "complex",
};
const COLOURS: Readonly<Record<number, TiffHeader["colours"]>> = {
  0: "grey",
  1: "grey",
  2: "colour",
  3: "palette",
  5: "cmyk",
  6: "colour",
};
// Channels of a pixel, with transparency.
const CHANNELS: Readonly<Record<TiffHeader["colours"], number>> = { grey: 2, palette: 2, colour: 4, cmyk: 5 };
const MOST_SAMPLES = 8;
const MOST_ENTRIES = 4096;
export const DAMAGED = "the image is cut off or damaged";
const ONE_RANGE = "convert all images to 16-bit integers, with one range for all";

/** True if a file begins like a TIFF or BigTIFF. */
export function isTiff(file: Uint8Array): boolean {
  const [a, b, c, d] = file;
  const little = a === 0x49 && b === 0x49 && (c === 42 || c === 43) && d === 0;
  return little || (a === 0x4d && b === 0x4d && c === 0 && (d === 42 || d === 43));
}

/** Readers of a tag's values, by the number of its type. */
const READERS: Readonly<
  Record<number, readonly [bytes: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  1: [1, (view, at) => view.getUint8(at)],
  3: [2, (view, at, little) => view.getUint16(at, little)],
  4: [4, (view, at, little) => view.getUint32(at, little)],
  6: [1, (view, at) => view.getInt8(at)],
  8: [2, (view, at, little) => view.getInt16(at, little)],
  9: [4, (view, at, little) => view.getInt32(at, little)],
  11: [4, (view, at, little) => view.getFloat32(at, little)],
  12: [8, (view, at, little) => view.getFloat64(at, little)],
  16: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
};

/** The tags of a TIFF's first directory that this module names, each with up to MOST_SAMPLES values. */
function tagsOf(file: Uint8Array): ReadonlyMap<number, readonly number[]> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const little = file[0] === 0x49;
  const large = view.getUint16(2, little) === 43;
  const word = (at: number): number => (large ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const [countBytes, entryBytes, inlineBytes] = large ? [8, 20, 8] : [2, 12, 4];
  const directory = word(large ? 8 : 4);
  const count = large ? word(directory) : view.getUint16(directory, little);
  if (count > MOST_ENTRIES) throw new RangeError(`${count} tags`);
  const wanted = new Set<number>(Object.values(TAG));
  const tags = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const entry = directory + countBytes + entryBytes * i;
    const [tag, type] = [view.getUint16(entry, little), view.getUint16(entry + 2, little)];
    const reader = READERS[type];
    if (!wanted.has(tag) || !reader) continue;
    const [bytes, read] = reader;
    const values = word(entry + 4);
    const inline = entry + (large ? 12 : 8);
    const start = values * bytes <= inlineBytes ? inline : word(inline);
    tags.set(
      tag,
      Array.from({ length: Math.min(values, MOST_SAMPLES) }, (_, n) => read(view, start + bytes * n, little)),
    );
  }
  return tags;
}

/**
 * Reads the first directory of a TIFF.
 * @throws InputError with only the reason, also for camera raw files and unsupported colour spaces
 * @see https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
 */
export function tiffHeader(file: Uint8Array): TiffHeader {
  let tags: ReadonlyMap<number, readonly number[]>;
  try {
    tags = tagsOf(file);
  } catch (cause) {
    throw new InputError(DAMAGED, { cause }); // an offset beyond the file's end
  }
  const first = (tag: number, otherwise: number): number => tags.get(tag)?.[0] ?? otherwise;
  const [width, height, samples] = [first(TAG.width, 0), first(TAG.height, 0), first(TAG.samples, 1)];
  if (tags.has(TAG.dngVersion) || first(TAG.subfileType, 0) & 1) {
    throw new InputError("it is a camera's raw file, or begins with a thumbnail; convert it to JPEG or PNG");
  }
  const photometric = first(TAG.photometric, 1);
  const colours = COLOURS[photometric];
  if (!colours) throw new InputError("its colours are not grey, RGB, CMYK, YCbCr or a palette; convert it to RGB");
  const depths = tags.get(TAG.bits) ?? [1];
  const kind = KINDS[first(TAG.kind, 1)] ?? "complex";
  const [bits] = depths as [number];
  if (depths.some((depth) => depth !== bits)) {
    throw new InputError(`its channels have different depths (${depths.join(", ")} bits); convert it to 8 or 16 bits`);
  }
  return {
    width,
    height,
    bits,
    kind,
    samples,
    colours,
    isInverted: photometric === 0,
    range: bits > 8 ? rangeOf(tags, bits) : null,
  };
}

/** The range that tags state, unless it is the full range of unsigned integers of that many bits. */
function rangeOf(tags: ReadonlyMap<number, readonly number[]>, bits: number): TiffHeader["range"] {
  const [lows, highs] = [
    tags.get(TAG.typedLow) ?? tags.get(TAG.low) ?? [0],
    tags.get(TAG.typedHigh) ?? tags.get(TAG.high),
  ];
  if (!highs) return null;
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  if (!(low < high) || (bits <= 16 && low === 0 && high === 2 ** bits - 1)) return null;
  return [low, high];
}

const KIND_WORDS = {
  unsigned: "unsigned integers",
  signed: "signed integers",
  float: "floating-point numbers",
  complex: "complex numbers",
} as const;

/**
 * Rejects a TIFF whose samples have no stated black and white, or that is not decoded.
 * @throws InputError with only the reason: what it contains, and how to convert it
 */
export function requireStatedRange({ bits, kind, samples, colours, isInverted, range }: TiffHeader): void {
  if (samples > CHANNELS[colours]) {
    throw new InputError(
      `it has ${samples} channels, of which its tags name no more than ${CHANNELS[colours] - 1} and transparency; convert it to grey or RGB`,
    );
  }
  if (kind === "unsigned" && bits <= 8) return;
  const holds = `it holds ${bits}-bit ${KIND_WORDS[kind]}`;
  if (range !== null && isInverted)
    throw new InputError(`${holds} of a stated range, white first; ${ONE_RANGE}, black first`);
  if (kind === "unsigned" && bits === 16) {
    if (colours === "cmyk") throw new InputError(`${holds} of CMYK; convert it to RGB`);
    return;
  }
  if (kind === "unsigned" && bits < 16) {
    throw new InputError(`${holds}; convert all images to 16-bit integers, each value times ${2 ** (16 - bits)}`);
  }
  if (bits !== 32 || kind === "complex" || samples > 1 || colours !== "grey")
    throw new InputError(`${holds}; ${ONE_RANGE}`);
  if (range === null) throw new InputError(`${holds} and does not state which are black and white; ${ONE_RANGE}`);
}

/**
 * Rejects a TIFF that cannot be read as a mask. A mask needs no range, as only zero and nonzero samples are told apart.
 * @throws InputError with only the reason
 */
export function requireMaskSamples({ bits, kind, samples }: TiffHeader): void {
  if (kind === "unsigned" && (bits <= 8 || bits === 16)) return;
  if (samples === 1 && kind !== "complex" && (bits === 32 || (bits === 8 && kind === "signed"))) return;
  throw new InputError(`it holds ${bits}-bit ${KIND_WORDS[kind]}; convert it to 8 bits, 0 where the part is good`);
}
