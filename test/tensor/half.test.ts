import { expect, test } from "vitest";
import { bfloat16ToFloat, floatToHalf, halfToFloat } from "../../src/tensor/half.ts";

const NAN = 0x7e00;
const isNaNHalf = (bits: number) => (bits & 0x7fff) > 0x7c00;

/** IEEE 754 binary16 straight from its definition: sign, 5 bits of exponent, 10 bits of fraction. */
function byDefinition(bits: number): number {
  const digits = bits.toString(2).padStart(16, "0");
  const [sign, exponent, fraction] = [
    digits[0] === "1" ? -1 : 1,
    parseInt(digits.slice(1, 6), 2),
    parseInt(digits.slice(6), 2) / 1024,
  ];
  if (exponent === 31) return fraction > 0 ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

test("all 65536 halfs have the value of their definition", () => {
  for (let bits = 0; bits < 65536; bits++)
    if (!Object.is(halfToFloat(bits), byDefinition(bits))) expect.fail(`half ${bits} is read as ${halfToFloat(bits)}`);
});

test("all 65536 halfs come back, NaN as one NaN", () => {
  for (let bits = 0; bits < 65536; bits++) {
    const want = isNaNHalf(bits) ? NAN : bits;
    if (floatToHalf(halfToFloat(bits)) !== want)
      expect.fail(`half ${bits} comes back as ${floatToHalf(halfToFloat(bits))}`);
  }
});

test("between two neighbouring halfs the nearer is taken, in the middle the even", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    // Above the largest half comes 65536, as if the exponent had no limit; values that round to it become infinity.
    const [low, high] = [halfToFloat(bits), bits === 0x7bff ? 65536 : halfToFloat(bits + 1)];
    const middle = (low + high) / 2; // exact in f64
    const nudge = middle * 2 ** -50;
    const even = bits % 2 === 0 ? bits : bits + 1;
    const got = [middle - nudge, middle, middle + nudge].map(floatToHalf);
    const mirrored = [-(middle - nudge), -middle, -(middle + nudge)].map((value) => floatToHalf(value) - 0x8000);
    const [wrong, lopsided] = [
      [bits, even, bits + 1].some((want, i) => got[i] !== want),
      mirrored.some((bits, i) => got[i] !== bits),
    ];
    if (wrong || lopsided) expect.fail(`around ${middle}: ${got.join()} and ${mirrored.join()}`);
  }
});

test("what is too large is infinity, what is too small zero, with its sign", () => {
  expect([65519.99, 65520, 1e300, Infinity].map(floatToHalf)).toEqual([0x7bff, 0x7c00, 0x7c00, 0x7c00]);
  expect([-65520, -Infinity].map(floatToHalf)).toEqual([0xfc00, 0xfc00]);
  expect([2 ** -25, 2 ** -25 + 2 ** -60, 5e-324, 0].map(floatToHalf)).toEqual([0, 1, 0, 0]);
  expect([-0, -5e-324].map(floatToHalf)).toEqual([0x8000, 0x8000]);
  expect(floatToHalf(NaN)).toBe(NAN);
});

test("all 65536 bfloat16 are the upper halves of an f32", () => {
  const view = new DataView(new ArrayBuffer(4));
  for (let bits = 0; bits < 65536; bits++) {
    view.setUint16(0, bits); // big-endian: the upper half comes first
    if (!Object.is(bfloat16ToFloat(bits), view.getFloat32(0)))
      expect.fail(`bfloat16 ${bits} is read as ${bfloat16ToFloat(bits)}`);
  }
});
