// Philox4x32-10 directly from its paper, in arbitrary precision.

export type Words = readonly [number, number, number, number];

const MASK = 0xffffffffn;

export function philox(counter: Words, key: readonly [number, number]): Words {
  let c = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c[0], 0xcd9e8d57n * c[2]];
    c = [(p1 >> 32n) ^ c[1] ^ k0, p1 & MASK, (p0 >> 32n) ^ c[3] ^ k1, p0 & MASK];
    [k0, k1] = [(k0 + 0x9e3779b9n) & MASK, (k1 + 0xbb67ae85n) & MASK];
  }
  return c.map(Number) as unknown as Words;
}

/** The middle of one of 2^23 equal parts of (0, 1). */
export const unit = (word: number): number => (Math.floor(word / 512) + 0.5) / 2 ** 23;

/** Box-Muller's four normal numbers from four words. */
export function normals(words: Words): readonly number[] {
  const [a, b, c, d] = words.map(unit) as [number, number, number, number];
  const pair = (first: number, second: number) =>
    [Math.cos, Math.sin].map((f) => Math.sqrt(-2 * Math.log(first)) * f(2 * Math.PI * second));
  return [...pair(a, b), ...pair(c, d)];
}
