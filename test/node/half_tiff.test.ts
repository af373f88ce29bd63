import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { tiffHeader } from "../../src/io/tiff.ts";
import { encodeHalfTiff } from "../../src/node/half_tiff.ts";
import { halfToFloat } from "../../src/tensor/half.ts";

/** The value of a tag of a little-endian TIFF with one directory. */
function tagOf(file: Buffer, wanted: number): number | undefined {
  const directory = file.readUInt32LE(4);
  for (let i = 0; i < file.readUInt16LE(directory); i++) {
    const entry = directory + 2 + 12 * i;
    if (file.readUInt16LE(entry) !== wanted) continue;
    return file.readUInt16LE(entry + 2) === 3 ? file.readUInt16LE(entry + 8) : file.readUInt32LE(entry + 8);
  }
  return undefined;
}

/** The samples of a TIFF of one deflated strip of 16-bit floats. */
function samplesOf(file: Buffer): number[] {
  const at = tagOf(file, 273)!;
  const bytes = inflateSync(file.subarray(at, at + tagOf(file, 279)!));
  return Array.from({ length: bytes.length / 2 }, (_, i) => halfToFloat(bytes.readUInt16LE(2 * i)));
}

test("a TIFF of 16-bit floats has the sides, the kind and the values that it was given", async () => {
  const [width, height] = [5, 3];
  const exact = Float32Array.from({ length: width * height }, (_, i) => i / 8);
  const file = Buffer.from(await encodeHalfTiff(exact, width, height));
  expect(tiffHeader(file)).toMatchObject({ width, height, bits: 16, kind: "float", samples: 1, colours: "grey" });
  expect([259, 278].map((tag) => tagOf(file, tag))).toEqual([8, height]);
  expect(samplesOf(file)).toEqual([...exact]);
  expect(file.readUInt32LE(4) % 2).toBe(0);
});

test("values are rounded to the nearest that there is, and those beyond the largest are the largest", async () => {
  const values = Float32Array.from([1 + 2 ** -12, 1 + 2 ** -11 + 2 ** -12, 65_504, 65_519, 1e9, 2 ** -25, 6e-8]);
  expect(samplesOf(Buffer.from(await encodeHalfTiff(values, values.length, 1)))).toEqual([
    1,
    1 + 2 ** -10,
    65_504,
    65_504,
    65_504,
    0,
    2 ** -24,
  ]);
});
