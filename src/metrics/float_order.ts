const SIGN = 0x80000000;

/** Maps the bits of an f32 number to an unsigned word in the same order as the numbers; -0 maps like 0. */
export function orderedWord(word: number): number {
  if (word === SIGN) return SIGN;
  return (word >= SIGN ? ~word : word | SIGN) >>> 0;
}

/** Inverse of `orderedWord`: the bits of the f32 number. */
export const wordInOrder = (ordered: number): number => (ordered >= SIGN ? ordered ^ SIGN : ~ordered) >>> 0;
