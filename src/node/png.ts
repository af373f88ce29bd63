import { pipeline, Readable } from "node:stream";
import { crc32, createDeflate } from "node:zlib";
import type { Size } from "../io/placement.ts";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 } as const; // grey, RGB, RGBA
const LEVEL = 6;
const PART_BYTES = 1 << 16;

/**
 * Encodes a PNG of 8 bits a sample, part by part: neither the picture nor the file is in memory as a whole.
 * @param channels 1 for grey, 3 for RGB, 4 for RGBA
 * @param bands whole rows of samples, from the top
 */
export async function* pngParts(
  { width, height }: Size,
  channels: 1 | 3 | 4,
  bands: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOUR_TYPES[channels], 0, 0, 0], 8);
  yield SIGNATURE;
  yield chunkOf("IHDR", header);
  const deflate = createDeflate({ level: LEVEL, chunkSize: PART_BYTES });
  pipeline(Readable.from(unfiltered(bands, width * channels)), deflate, () => undefined); // an error ends the loop below
  for await (const part of deflate) yield chunkOf("IDAT", part as Buffer);
  yield chunkOf("IEND", Buffer.alloc(0));
}

/** Rows with the filter's byte before each: none. */
async function* unfiltered(
  bands: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  rowBytes: number,
): AsyncGenerator<Uint8Array> {
  for await (const band of bands) {
    const rows = Buffer.alloc((band.length / rowBytes) * (rowBytes + 1));
    for (let from = 0, to = 0; from < band.length; from += rowBytes, to += rowBytes + 1)
      rows.set(band.subarray(from, from + rowBytes), to + 1);
    yield rows;
  }
}

function chunkOf(type: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, "latin1");
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}
