/** Mean and covariance of vectors that are added, in float64. */
export class Covariance {
  readonly #sums: Float64Array;
  /** Lower triangle of the sum of products, row by row. */
  readonly #products: Float64Array;
  #count = 0;

  /** @param size elements of a vector */
  constructor(size: number) {
    this.#sums = new Float64Array(size);
    this.#products = new Float64Array((size * (size + 1)) / 2);
  }

  /** Adds the vector that begins at an element of `values`. */
  add(values: Float32Array, first = 0): void {
    const [sums, products] = [this.#sums, this.#products];
    for (let i = 0, at = 0; i < sums.length; i++) {
      const value = values[first + i]!;
      sums[i]! += value;
      for (let j = 0; j <= i; j++) products[at++]! += value * values[first + j]!;
    }
    this.#count++;
  }

  get mean(): Float64Array {
    return this.#sums.map((sum) => sum / this.#count);
  }

  /** The unbiased covariance, row-major, its lower triangle alone; zeros for one vector. */
  get lowerTriangle(): Float64Array {
    const { mean } = this;
    const size = mean.length;
    const covariance = new Float64Array(size * size);
    for (let i = 0, at = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const centred = this.#products[at++]! - this.#count * mean[i]! * mean[j]!;
        covariance[i * size + j] = centred / Math.max(this.#count - 1, 1);
      }
      // A variance is not below 0, whatever rounding makes of it.
      covariance[i * (size + 1)] = Math.max(covariance[i * (size + 1)]!, 0);
    }
    return covariance;
  }
}
