import { extname } from "node:path";
import { decode as decodeBmp } from "bmp-ts";
import sharp, { type Sharp } from "sharp";
import type { DecodedImage } from "../io/image.ts";
import { InputError } from "../runtime/errors.ts";
import { readBytes } from "./files.ts";

const MAX_PIXELS = 268_402_689; // sharp's own limit, 16383 squared

/**
 * Decodes a photograph: png, jpg, tiff, webp and bmp; its EXIF orientation applied, 16-bit scaled to 8, grey and palette
 * turned to RGB, transparency ignored, the first picture of several.
 *
 * @throws InputError with the file's name if it cannot be read or is no whole image
 */
export async function decodeImage(path: string): Promise<DecodedImage> {
  const bytes = await readBytes(path);
  try {
    const { data, info } = await open(bytes, path)
      .rotate()
      .toColourspace("srgb")
      .removeAlpha()
      .ensureAlpha(1)
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${problemOf(bytes, error as Error)}`, { cause: error });
  }
}

/**
 * Decodes one photograph after another, some ahead of the one asked for, and hands them out in order.
 * @param ahead how many may be in memory at a time
 */
export async function* decodeImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  ahead = 4,
): AsyncGenerator<{ readonly item: T; readonly image: DecodedImage } | { readonly item: T; readonly error: Error }> {
  type Outcome = { readonly item: T; readonly image: DecodedImage } | { readonly item: T; readonly error: Error };
  const start = (item: T): Promise<Outcome> => decodeImage(pathOf(item)).then((image) => ({ item, image }), (error: Error) => ({ item, error }));
  const waiting = items.slice(0, ahead).map(start);
  for (let next = waiting.length; waiting.length > 0; next++) {
    const outcome = await waiting.shift()!;
    if (next < items.length) waiting.push(start(items[next]!));
    yield outcome;
  }
}

/** A PNG of RGBA bytes, row-major. */
export async function encodePng(rgba: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  return sharp(rgba, { raw: { width, height, channels: 4 } }).png().toBuffer();
}

/** A JPEG of a photograph, `side` pixels a side whatever its aspect ratio, its alpha ignored. */
export async function encodeJpeg({ data, width, height }: DecodedImage, side: number): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 4 } }).removeAlpha().resize(side, side, { fit: "fill" }).jpeg({ quality: 85 }).toBuffer();
}

function open(bytes: Uint8Array, path: string): Sharp {
  if (extname(path).toLowerCase() !== ".bmp") return sharp(bytes, { failOn: "truncated", limitInputPixels: MAX_PIXELS });
  const { data, width, height } = decodeBmp(Buffer.from(bytes), { toRGBA: true });
  return sharp(data, { raw: { width, height, channels: 4 }, limitInputPixels: MAX_PIXELS });
}

/** sharp's and libvips' messages run over several lines and name their own functions: say it in one, for a user. */
function problemOf(bytes: Uint8Array, { message }: Error): string {
  if (bytes.length === 0) return "the file is empty";
  const [line = ""] = message.split("\n");
  if (/unsupported image format/i.test(message)) return "it is not an image of a known format";
  if (/premature end|truncat|out of order read|end of (file|stream|data)/i.test(message)) return "the image is cut off";
  if (/pixel limit/i.test(message)) return `it has more than ${MAX_PIXELS} pixels`;
  return line.replace(/^Vips\w*: /, "");
}
