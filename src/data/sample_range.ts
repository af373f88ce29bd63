import { images } from "./tree.ts";

// Bit depths of cameras and converters that write 16-bit files.
const DEPTHS = [8, 10, 12, 14];

/**
 * Detects 16-bit images that all use only the lower part of the range: only the upper 8 bits are used, so such images
 * lose most of their content. A single image may just be dark; the file does not say.
 * @param highs the largest sample of each 16-bit image that states no range of its own
 * @returns the problem and its remedy; null if there is none
 */
export function narrowRange(highs: readonly number[]): { readonly message: string; readonly advice: string } | null {
  const highest = highs.reduce((most, high) => Math.max(most, high), 0);
  const bits = DEPTHS.find((depth) => highest < 2 ** depth);
  if (highs.length === 0 || bits === undefined) return null;
  const levels = Math.floor(highest / 256) + 1;
  const seen = `only the upper 8 bits are used, ${levels} grey ${levels === 1 ? "level" : "levels"} of 256`;
  return {
    message: `all values of ${images(highs.length)} are at most ${highest}: ${bits}-bit data in 16-bit files?`,
    advice: `${seen}; multiply the values of all images by ${2 ** (16 - bits)}, also of those to be inspected`,
  };
}
