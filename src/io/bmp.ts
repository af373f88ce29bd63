import { InputError } from "../runtime/errors.ts";
import type { DecodedImage } from "./image.ts";

const FILE_HEADER = 14;
const CORE_HEADER = 12; // OS/2 header: 16-bit sizes, three-byte colours
const INFO_HEADER = 40;
const HEADERS = [CORE_HEADER, INFO_HEADER, 52, 56, 64, 108, 124];
const [UNCOMPRESSED, BIT_FIELDS, ALPHA_BIT_FIELDS] = [0, 3, 6];

/** True if a file begins like a bitmap. */
export const isBmp = (file: Uint8Array): boolean => file[0] === 0x42 && file[1] === 0x4d;

/** Contents of a bitmap's header. */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  /** Bits per pixel; up to 8 they index a palette. */
  readonly bits: number;
  readonly topFirst: boolean;
  /** Offset of the pixels, and bytes per row. */
  readonly start: number;
  readonly stride: number;
  readonly headerSize: number;
  readonly compression: number;
  /** Number of colours in the palette; 0 for as many as the bits can index. */
  readonly colours: number;
}

const isMasked = (compression: number): boolean => compression === BIT_FIELDS || compression === ALPHA_BIT_FIELDS;

/**
 * Reads and checks the header of a bitmap.
 * @param head the file's first 138 bytes, or all of it
 * @param length bytes of the whole file
 * @param limit largest number of pixels
 * @throws InputError with only the reason, also if the pixels exceed the file
 */
export function bmpHeader(head: Uint8Array, length: number, limit: number): BmpHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < FILE_HEADER + CORE_HEADER) throw new InputError("the image is cut off");
  const start = view.getUint32(10, true);
  const headerSize = view.getUint32(14, true);
  if (!isBmp(head) || !HEADERS.includes(headerSize)) throw new InputError("it is not an image of a known format");
  const core = headerSize === CORE_HEADER;
  if (head.length < FILE_HEADER + headerSize) throw new InputError("the image is cut off");
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  // negative: the first row is the top one
  const signedHeight = core ? view.getUint16(20, true) : view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? UNCOMPRESSED : view.getUint32(30, true);
  const colours = core ? 0 : view.getUint32(46, true);
  const masked = isMasked(compression);
  if (![1, 4, 8, 16, 24, 32].includes(bits) || !(width > 0 && height > 0)) throw new InputError("the image is damaged");
  if (compression !== UNCOMPRESSED && !(masked && bits >= 16))
    throw new InputError("it is a compressed bmp; convert it to png");
  if (!(width * height <= limit)) throw new InputError(`it has more than ${limit} pixels`);
  const stride = 4 * Math.ceil((bits * width) / 32);
  if (!(start + stride * height <= length && (!masked || length >= 66))) throw new InputError("the image is cut off");
  return { width, height, bits, topFirst: signedHeight < 0, start, stride, headerSize, compression, colours };
}

/**
 * Decodes an uncompressed Windows or OS/2 bitmap of 1, 4, 8, 16, 24 or 32 bits per pixel; transparency is ignored.
 * @param limit largest number of pixels
 * @throws InputError with only the reason; the caller adds the file's name
 * @see https://learn.microsoft.com/windows/win32/gdi/bitmap-storage
 */
export function decodeBmp(file: Uint8Array, limit: number): DecodedImage {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const { width, height, bits, topFirst, start, stride, headerSize, compression, colours } = bmpHeader(
    file,
    file.length,
    limit,
  );
  const core = headerSize === CORE_HEADER;
  const masked = isMasked(compression);

  const data = new Uint8Array(4 * width * height).fill(255);
  const paletteStart =
    FILE_HEADER + headerSize + (masked && headerSize === INFO_HEADER ? (compression === BIT_FIELDS ? 12 : 16) : 0);
  const palette = bits <= 8 ? paletteAt(file, paletteStart, colours || 2 ** bits, core ? 3 : 4) : null;
  const usual = bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
  const fields = (masked ? [54, 58, 62].map((at) => view.getUint32(at, true)) : usual).map(fieldOf);
  for (let y = 0; y < height; y++) {
    const row = start + stride * (topFirst ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const to = 4 * (y * width + x);
      if (palette) {
        const shift = 8 - bits - ((x * bits) % 8);
        const index = (file[row + ((x * bits) >> 3)]! >> shift) & (2 ** bits - 1);
        for (let c = 0; c < 3; c++) data[to + c] = palette[3 * index + c]!;
      } else if (bits === 24) {
        for (let c = 0; c < 3; c++) data[to + c] = file[row + 3 * x + 2 - c]!;
      } else {
        const pixel = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
        for (let c = 0; c < 3; c++) data[to + c] = fields[c]!(pixel);
      }
    }
  }
  return { width, height, data };
}

/** 256 colours as red, green, blue; black if missing in the file. */
function paletteAt(file: Uint8Array, start: number, count: number, bytesEach: number): Uint8Array {
  const palette = new Uint8Array(3 * 256);
  for (let i = 0; i < Math.min(count, 256); i++) {
    for (let c = 0; c < 3; c++) palette[3 * i + c] = file[start + bytesEach * i + 2 - c] ?? 0;
  }
  return palette;
}

/** Returns a function that reads the bits of a pixel selected by a mask, scaled to 0..255. */
function fieldOf(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (pixel) => Math.round((255 * ((pixel & mask) >>> shift)) / most);
}
