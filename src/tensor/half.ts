const INFINITE_HALF = 0x7c00;
const QUIET_NAN_HALF = 0x7e00;
const WHOLE = 2 ** 52; // adding it to a number in [0, 2^52) rounds that to the nearest integer, halves to even
const f64 = new Float64Array(1);
const f64Words = new Uint32Array(f64.buffer); // little-endian, as is every machine with WebGPU
const f32 = new Float32Array(1);
const f32Word = new Uint32Array(f32.buffer);

/**
 * The exact value of IEEE binary16 bits.
 * @param bits 0 .. 65535
 */
export function halfToFloat(bits: number): number {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/**
 * IEEE binary16 bits of the nearest half, ties to even; infinity from 65520.
 * @returns 0 .. 65535; 0x7e00 for NaN
 */
export function floatToHalf(value: number): number {
  if (Number.isNaN(value)) return QUIET_NAN_HALF;
  f64[0] = value;
  const high = f64Words[1]!;
  const exponent = Math.max(((high >>> 20) & 2047) - 1023, -14); // at least -14: subnormals share its spacing
  const spacings = Math.abs(value) / 2 ** (exponent - 10) + WHOLE - WHOLE;
  // A normal number has 1024 .. 2047 spacings; rounding up to 2048 correctly carries into the exponent.
  const bits = Math.min((exponent + 14) * 1024 + spacings, INFINITE_HALF);
  return (high >>> 31) * 0x8000 + bits;
}

/**
 * The exact value of bfloat16 bits, the upper half of an f32.
 * @param bits 0 .. 65535
 */
export function bfloat16ToFloat(bits: number): number {
  f32Word[0] = bits << 16;
  return f32[0]!;
}
