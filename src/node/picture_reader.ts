import { join } from "node:path";
import type { Metadata } from "sharp";
import type { MaskFacts, PictureFacts, PictureReader } from "../data/picture_facts.ts";
import { bmpHeader } from "../io/bmp.ts";
import { formatOf, HEAD_BYTES } from "../io/picture_header.ts";
import { tiffHeader, type TiffHeader } from "../io/tiff.ts";
import { InputError } from "../runtime/errors.ts";
import { hashFile } from "./files/hash.ts";
import { openRegularFile, readBytes } from "./files/read.ts";
import { reasonOf } from "./files/reasons.ts";
import { decodeImage, decodeImageBytes, decodeMaskBytes, MAX_PIXELS } from "./images.ts";
import { loadSharp } from "./samples.ts";

// How a whole file of the format ends.
const ENDS: Readonly<Record<string, Buffer>> = {
  png: Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]),
  jpeg: Buffer.from([0xff, 0xd9]),
};
const TAIL_BYTES = 12;
const PNG_DEPTH = 24; // where a PNG says its bits of a sample

/**
 * Looks at the pictures below a folder. Of an image only the header and the end are read, where they tell that it is
 * whole.
 */
export function pictureReader(root: string): PictureReader {
  return {
    facts: (path) => reasonAlone(join(root, path), pictureFacts),
    mask: (path) => reasonAlone(join(root, path), maskFacts),
    digest: (path) => hashFile(join(root, path)),
  };
}

/** An error's reason alone: which file it is about is known. */
async function reasonAlone<T>(path: string, look: (path: string) => Promise<T>): Promise<T> {
  return look(path).catch((error: unknown) => {
    throw error instanceof InputError
      ? new InputError(error.message.replace(`cannot read ${path}: `, ""), { cause: error })
      : error;
  });
}

async function pictureFacts(path: string): Promise<PictureFacts> {
  const { head, tail, bytes } = await readEnds(path);
  const format = formatOf(head);
  if (format === "bmp") {
    const { width, height, bits } = bmpHeader(head, bytes, MAX_PIXELS);
    return { width, height, format, mode: bits <= 8 ? "palette" : "colour", bytes };
  }
  const end = ENDS[format];
  const isDeep = format === "png" && head[PNG_DEPTH] === 16; // what its samples reach is worth knowing
  const file = end && tail.subarray(-end.length).equals(end) && !isDeep ? null : await readBytes(path);
  const image = file && (await decodeImageBytes(file, path));
  const found = await readMetadata(file ?? path).catch(() => null);
  if (!found) await decodeImage(path); // says what is wrong with it
  if (!found) throw new InputError("its header is damaged");
  const tiff = file && format === "tiff" ? tiffHeader(file) : null;
  const { width, height } = found.autoOrient;
  const reach = image?.sampleHigh === undefined ? {} : { sampleHigh: image.sampleHigh };
  return { width, height, format, mode: modeOf(found, tiff), bytes, ...reach };
}

/** Colours, depth where it is not 8 bits, the range that the file states, and transparency. */
function modeOf(
  { depth, channels, hasAlpha, space, isPalette, bitsPerSample, format }: Metadata,
  tiff: TiffHeader | null,
): string {
  const colours = channels - (hasAlpha ? 1 : 0);
  const small = format === "png" && !isPalette ? (bitsPerSample ?? 8) : 8;
  const bits = tiff?.bits ?? (depth === "ushort" ? 16 : small);
  const words = [
    colours === 1 ? "grey" : space === "cmyk" ? "cmyk" : "colour",
    bits === 8 ? "" : `${bits}-bit`,
    tiff?.kind === "float" ? "float" : "",
    tiff?.range ? `of ${tiff.range[0]} to ${tiff.range[1]}` : "",
    hasAlpha ? "with transparency" : "",
  ];
  return words.filter((word) => word !== "").join(" ");
}

async function maskFacts(path: string): Promise<MaskFacts> {
  const file = await readBytes(path);
  const { width, height, data } = await decodeMaskBytes(file, path);
  let marked = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] !== 0) marked++;
  return { width, height, format: formatOf(file), marked };
}

async function readMetadata(file: string | Uint8Array): Promise<Metadata> {
  const sharp = await loadSharp();
  return sharp(file).metadata();
}

/** A file's first and last bytes. */
async function readEnds(
  path: string,
): Promise<{ readonly head: Uint8Array; readonly tail: Buffer; readonly bytes: number }> {
  try {
    const file = await openRegularFile(path);
    try {
      const { size } = await file.stat();
      const read = async (length: number, position: number): Promise<Buffer> => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
        return buffer.subarray(0, bytesRead);
      };
      return {
        head: await read(HEAD_BYTES, 0),
        tail: await read(TAIL_BYTES, Math.max(0, size - TAIL_BYTES)),
        bytes: size,
      };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof InputError ? error : new InputError(reasonOf(error), { cause: error });
  }
}
