// Elements in the order of their words, dealt round the sets like cards.

/** The set of each element; of equal words, the first element comes first. */
export function dealt(words: readonly number[], sets: number): number[] {
  const order = words.map((word, i) => [word, i] as const).sort(([a, i], [b, j]) => a - b || i - j);
  const result = Array<number>(words.length);
  order.forEach(([, i], place) => (result[i] = place % sets));
  return result;
}
