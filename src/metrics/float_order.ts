const SIGN = 0x80000000;

/** An unsigned word for the word of an f32 number, in the order of the numbers; of -0 that of 0. */
export function orderedWord(word: number): number {
  if (word === SIGN) return SIGN;
  return (word >= SIGN ? ~word : word | SIGN) >>> 0;
}

/** The word of the f32 number that `orderedWord` has made this of. */
export const wordInOrder = (ordered: number): number => (ordered >= SIGN ? ordered ^ SIGN : ~ordered) >>> 0;
