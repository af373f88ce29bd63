import { InputError } from "../runtime/errors.ts";
import type { Size } from "./placement.ts";
import { bmpHeader, isBmp } from "./bmp.ts";
import { DAMAGED, isTiff, tiffHeader, type TiffHeader } from "./tiff.ts";

/** Contents of a picture's header. Sides are as stored, without the orientation applied; 0 if they were not found. */
export interface PictureHeader extends Size {
  readonly format: "png" | "jpeg" | "tiff" | "webp" | "gif" | "avif" | "bmp";
  /** Bits per sample; 8 for formats that have one depth. */
  readonly bits: number;
  readonly cmyk: boolean;
  readonly tiff: TiffHeader | null;
}

export { DAMAGED };

const UNKNOWN_FORMAT = "it is not an image of a known format";

export const HEAD_BYTES = 256; // enough for `formatOf`

const textAt = (file: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...file.subarray(at, at + length));
const PNG = "\x89PNG\r\n\x1a\n";

// Common formats that are not decoded, with their first bytes, so that errors can name them.
const REFUSED: readonly (readonly [name: string, at: number, text: string])[] = [
  ["a JPEG XL", 0, "\xff\x0a"],
  ["a JPEG XL", 4, "JXL "],
  ["a JPEG 2000", 4, "jP  "],
  ["a JPEG 2000", 0, "\xff\x4f\xff\x51"],
  ["a Photoshop", 0, "8BPS"],
  ["an OpenEXR", 0, "\x76\x2f\x31\x01"],
  ["a Radiance HDR", 0, "#?RADIANCE"],
  ["a DICOM", 128, "DICM"],
  ["a Canon raw", 8, "CR\x02"],
  ["a Fujifilm raw", 0, "FUJIFILM"],
];
const AVIF_BRANDS = ["avif", "avis"];
const HEIF_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"];
const MOST_BOXES = 65_536; // the first bytes of an AVIF, within which its sides must be stated

/**
 * Reads a picture's header; the format is recognised by the first bytes, whatever the file's name.
 * @param limit largest number of pixels
 * @throws InputError with only the reason: as `formatOf`, too many pixels, a damaged header
 */
export function pictureHeader(file: Uint8Array, limit: number): PictureHeader {
  const header = headerOf(file, limit);
  if (!(header.width * header.height <= limit)) throw new InputError(`it has more than ${limit} pixels`);
  return header;
}

function headerOf(file: Uint8Array, limit: number): PictureHeader {
  const format = formatOf(file);
  const usual = { format, bits: 8, cmyk: false, tiff: null };
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  switch (format) {
    case "bmp": {
      const { width, height } = bmpHeader(file, file.length, limit);
      return { ...usual, width, height };
    }
    case "png":
      if (file.length < 26) throw new InputError(DAMAGED);
      return { ...usual, width: view.getUint32(16), height: view.getUint32(20), bits: file[24]! };
    case "jpeg":
      return { ...usual, ...frameOf(view) };
    case "tiff": {
      const tiff = tiffHeader(file);
      return { format, width: tiff.width, height: tiff.height, bits: tiff.bits, cmyk: tiff.colours === "cmyk", tiff };
    }
    case "gif":
      if (file.length < 10) throw new InputError(DAMAGED);
      return { ...usual, width: view.getUint16(6, true), height: view.getUint16(8, true) };
    case "webp":
      return { ...usual, ...webpSize(file, view) };
    case "avif":
      return { ...usual, ...avifSize(file, view) };
  }
}

/**
 * Recognises a format by a file's first HEAD_BYTES bytes, or all of them.
 * @throws InputError with only the reason: an unknown format, or the name of one that is not decoded
 */
export function formatOf(head: Uint8Array): PictureHeader["format"] {
  if (head.length === 0) throw new InputError("the file is empty");
  const refused = REFUSED.find(([, at, text]) => textAt(head, at, text.length) === text);
  if (refused) throw new InputError(`it is ${refused[0]} file; convert it to JPEG or PNG`);
  if (isBmp(head)) return "bmp";
  if (textAt(head, 0, 8) === PNG) return "png";
  if (textAt(head, 0, 3) === "\xff\xd8\xff") return "jpeg";
  if (isTiff(head)) return "tiff";
  if (textAt(head, 0, 4) === "GIF8") return "gif";
  if (textAt(head, 0, 4) === "RIFF" && textAt(head, 8, 4) === "WEBP") return "webp";
  if (textAt(head, 4, 4) === "ftyp") {
    const brands = brandsOf(head);
    if (brands.some((brand) => AVIF_BRANDS.includes(brand))) return "avif";
    if (brands.some((brand) => HEIF_BRANDS.includes(brand)))
      throw new InputError("it is a HEIC file; convert it to JPEG or PNG");
  }
  throw new InputError(UNKNOWN_FORMAT);
}

/**
 * True if a text file's first bytes are those of a picture. BMP does not count: a text may begin with its two letters.
 */
export function isPicture(head: Uint8Array): boolean {
  try {
    return head.length > 0 && formatOf(head) !== "bmp";
  } catch {
    return false;
  }
}

/** Reads a JPEG's first frame header. */
function frameOf(view: DataView): Size & Pick<PictureHeader, "cmyk"> {
  let at = 2;
  while (at + 10 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) break;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff)
      at += 1; // a byte of padding
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const bits = view.getUint8(at + 4);
      if (bits !== 8) throw new InputError(`it is a JPEG of ${bits} bits; convert it to PNG`);
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), cmyk: view.getUint8(at + 9) === 4 };
    } else at += 2 + view.getUint16(at + 2);
  }
  return { width: 0, height: 0, cmyk: false };
}

function webpSize(file: Uint8Array, view: DataView): Size {
  if (file.length < 30) return { width: 0, height: 0 };
  const kind = textAt(file, 12, 4);
  if (kind === "VP8X")
    return { width: 1 + (view.getUint32(24, true) & 0xffffff), height: 1 + (view.getUint32(26, true) >>> 8) };
  if (kind === "VP8L")
    return { width: 1 + (view.getUint16(21, true) & 0x3fff), height: 1 + ((view.getUint32(21, true) >>> 14) & 0x3fff) };
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/** The brands of an ISO media file: its major brand and the compatible ones. */
function brandsOf(head: Uint8Array): readonly string[] {
  const brands = [textAt(head, 8, 4)];
  const end = Math.min(HEAD_BYTES, head[2]! * 256 + head[3]!);
  for (let at = 16; at + 4 <= end; at += 4) brands.push(textAt(head, at, 4));
  return brands;
}

/** The largest sides that an AVIF states for any of its parts: a picture is as large as its tiles together. */
function avifSize(file: Uint8Array, view: DataView): Size {
  let largest = { width: 0, height: 0 };
  for (let at = 8; at + 16 <= Math.min(file.length, MOST_BOXES); at++) {
    if (view.getUint32(at) !== 0x69737065) continue; // "ispe": version and flags, width, height
    const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (width * height > largest.width * largest.height) largest = { width, height };
  }
  return largest;
}
