import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { floatToHalf } from "../tensor/half.ts";

const SAMPLE_BYTES = 2;
const LARGEST_HALF = 65_504;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 12;
const [SHORT, LONG] = [3, 4]; // types of tags

const packed = promisify(deflate);

/**
 * Encodes a picture of one channel as a TIFF of 16-bit floating-point samples, which sharp does not write:
 * little-endian, one strip, deflated. Values above 65504, the largest that such a sample holds, are written as that.
 * @param values `[height, width]`, row-major, finite
 * @see https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, section 8 and, for compression 8, Adobe's TIFF
 * Technical Note 3
 */
export async function encodeHalfTiff(values: Float32Array, width: number, height: number): Promise<Uint8Array> {
  const samples = Buffer.alloc(SAMPLE_BYTES * values.length);
  values.forEach((value, i) => samples.writeUInt16LE(floatToHalf(Math.min(value, LARGEST_HALF)), SAMPLE_BYTES * i));
  const strip = await packed(samples);
  const tags = [
    [256, LONG, width],
    [257, LONG, height],
    [258, SHORT, 8 * SAMPLE_BYTES],
    [259, SHORT, 8], // deflate
    [262, SHORT, 1], // 0 is black
    [273, LONG, HEADER_BYTES], // where the strip begins
    [277, SHORT, 1], // samples of a pixel
    [278, LONG, height], // rows of the strip
    [279, LONG, strip.length],
    [339, SHORT, 3], // floating-point
  ] as const;
  const start = HEADER_BYTES + strip.length + (strip.length % 2); // of the directory: even
  const file = Buffer.alloc(start + 2 + ENTRY_BYTES * tags.length + 4);
  file.write("II*\0", "latin1");
  file.writeUInt32LE(start, 4);
  strip.copy(file, HEADER_BYTES);
  file.writeUInt16LE(tags.length, start);
  for (const [i, [tag, type, value]] of tags.entries()) {
    const entry = start + 2 + ENTRY_BYTES * i;
    file.writeUInt16LE(tag, entry);
    file.writeUInt16LE(type, entry + 2);
    file.writeUInt32LE(1, entry + 4);
    file.writeUInt32LE(value, entry + 8); // little-endian: a SHORT is its first two bytes
  }
  return file;
}
