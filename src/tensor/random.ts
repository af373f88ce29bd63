/** The 64-bit product of two 32-bit words, as a high and a low word. */
function multiplyWords(a: number, b: number): readonly [high: number, low: number] {
  const product = BigInt(a) * BigInt(b);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
}

/**
 * Philox4x32-10: four random 32-bit words for a counter of four words and a key of two. Identical to the shaders'
 * function.
 * @see Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiplyWords(0xd2511f53, c0);
    const [high1, low1] = multiplyWords(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * Random numbers drawn on the host. Equal seeds and streams give equal numbers on every machine, up to the last bit of
 * log and cos.
 */
export class RandomStream {
  readonly #seed: number;
  readonly #stream: number;
  readonly #part: number;
  #block = 0;
  #words: number[] = [];

  /**
   * @param seed and @param stream and @param part whole numbers below 2^32; different streams, and parts of a stream,
   * are independent
   */
  constructor(seed: number, stream: number, part = 0) {
    this.#seed = seed >>> 0;
    this.#stream = stream >>> 0;
    this.#part = part >>> 0;
  }

  /** Uniform in [0, 2^32). */
  word(): number {
    if (this.#words.length === 0)
      this.#words = philox([this.#block++, this.#stream, this.#part, HOST], [this.#seed, 0]);
    return this.#words.pop()!;
  }

  /** Uniform in (0, 1). */
  unit(): number {
    return (this.word() + 0.5) / 2 ** 32;
  }

  /** `count` normal numbers with mean 0. */
  normals(count: number, std: number): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i += 2) {
      const radius = std * Math.sqrt(-2 * Math.log(this.unit()));
      const angle = 2 * Math.PI * this.unit();
      values[i] = radius * Math.cos(angle);
      if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  }

  /** 0 .. count - 1 in random order. */
  permutation(count: number): number[] {
    const order = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(this.unit() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}

// Separates the host's draws from the shaders', whose fourth counter word is a small number.
const HOST = 0xffffffff;
