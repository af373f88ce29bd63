import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Metadata } from "sharp";
import type { MaskFacts, PictureFacts, PictureReader } from "../data/survey.ts";
import { BMP_HEADER_BYTES, bmpHeader, isBmp } from "../io/bmp.ts";
import { InputError } from "../runtime/errors.ts";
import { sha256Of } from "./weights.ts";
import { reasonOf } from "./files.ts";
import { decodeImage, decodeMask, isForSharp, loadSharp, MAX_PIXELS } from "./images.ts";

// How a whole file of the format ends.
const ENDS: Readonly<Record<string, Buffer>> = {
  png: Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]),
  jpeg: Buffer.from([0xff, 0xd9]),
};
const TAIL_BYTES = 12;

/** Looks at the pictures below a folder. Of an image only the header and the end are read, where they tell that it is whole. */
export function pictureReader(root: string): PictureReader {
  return {
    facts: (path) => reasonAlone(join(root, path), pictureFacts),
    mask: (path) => reasonAlone(join(root, path), maskFacts),
    digest: (path) => sha256Of(join(root, path)),
  };
}

/** An error's reason alone: which file it is about is known. */
async function reasonAlone<T>(path: string, look: (path: string) => Promise<T>): Promise<T> {
  return look(path).catch((error: unknown) => {
    throw error instanceof InputError ? new InputError(error.message.replace(`cannot read ${path}: `, ""), { cause: error }) : error;
  });
}

async function pictureFacts(path: string): Promise<PictureFacts> {
  const { head, tail, bytes } = await endsOf(path);
  if (isBmp(head)) {
    const { width, height, bits } = bmpHeader(head, bytes, MAX_PIXELS);
    return { width, height, format: "bmp", mode: bits <= 8 ? "palette" : "colour", bytes };
  }
  const found = isForSharp(head) ? await metadataOf(path).catch(() => null) : null;
  const end = found && ENDS[found.format];
  if (!found || !end || !tail.subarray(-end.length).equals(end)) await decodeImage(path); // says what is wrong with it
  if (!found) throw new InputError("its header is damaged");
  const { autoOrient, format, depth, channels, hasAlpha, space } = found;
  const colours = channels - (hasAlpha ? 1 : 0);
  const mode = [
    colours === 1 ? "grey" : space === "cmyk" ? "cmyk" : "colour",
    depth === "ushort" ? "16-bit" : "",
    hasAlpha ? "with transparency" : "",
  ];
  return { width: autoOrient.width, height: autoOrient.height, format, mode: mode.filter((word) => word !== "").join(" "), bytes };
}

async function maskFacts(path: string): Promise<MaskFacts> {
  const { head } = await endsOf(path);
  const { width, height, data } = await decodeMask(path);
  let marked = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] !== 0) marked++;
  return { width, height, format: isBmp(head) ? "bmp" : (await metadataOf(path)).format, marked };
}

async function metadataOf(path: string): Promise<Metadata> {
  const sharp = await loadSharp();
  return sharp(path).metadata();
}

/** A file's first and last bytes. */
async function endsOf(path: string): Promise<{ readonly head: Uint8Array; readonly tail: Buffer; readonly bytes: number }> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const read = async (length: number, position: number): Promise<Buffer> => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
        return buffer.subarray(0, bytesRead);
      };
      return { head: await read(BMP_HEADER_BYTES, 0), tail: await read(TAIL_BYTES, Math.max(0, size - TAIL_BYTES)), bytes: size };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new InputError(reasonOf(error), { cause: error });
  }
}
