import { orderedWord, wordInOrder } from "./float_order.ts";

const DIGIT_BITS = 11; // three passes over 32 bits
const DIGITS = 1 << DIGIT_BITS;

/**
 * Sorts finite f32 numbers in place, ascending; -0 becomes 0. About four times as fast as `values.sort()` on millions
 * of numbers, with 4 bytes of workspace for each (8 with a payload).
 *
 * @param payload one word per value, permuted along with the values
 */
export function radixSort(values: Float32Array, payload?: Uint32Array): void {
  const count = values.length;
  const words = new Uint32Array(values.buffer, values.byteOffset, count);
  const ends = [new Uint32Array(DIGITS), new Uint32Array(DIGITS), new Uint32Array(DIGITS)];
  for (let i = 0; i < count; i++) {
    const key = orderedWord(words[i]!);
    words[i] = key;
    for (let digit = 0; digit < 3; digit++) ends[digit]![(key >>> (digit * DIGIT_BITS)) & (DIGITS - 1)]!++;
  }
  let keys: Uint32Array = words;
  let nextKeys: Uint32Array = new Uint32Array(count);
  let loads = payload;
  let nextLoads: Uint32Array | undefined = payload && new Uint32Array(count);
  for (let digit = 0; digit < 3; digit++) {
    const starts = ends[digit]!;
    for (let value = 0, sum = 0; value < DIGITS; value++) {
      const inDigit = starts[value]!;
      starts[value] = sum;
      sum += inDigit;
    }
    const shift = digit * DIGIT_BITS;
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      const to = starts[(key >>> shift) & (DIGITS - 1)]!++;
      nextKeys[to] = key;
      if (nextLoads) nextLoads[to] = loads![i]!;
    }
    [keys, nextKeys] = [nextKeys, keys];
    [loads, nextLoads] = [nextLoads, loads];
  }
  // The number of passes is odd: the sorted keys are in the workspace.
  for (let i = 0; i < count; i++) words[i] = wordInOrder(keys[i]!);
  if (payload) payload.set(loads!);
}
