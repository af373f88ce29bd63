import type { Json } from "../method.ts";

/** Number, mean and sum of squares off it. */
export type MomentState = readonly [count: number, mean: number, squares: number];

/** True if JSON is the state of moments. */
export const isMomentState = (json: Json | undefined): json is MomentState =>
  Array.isArray(json) && json.length === 3 && json.every(Number.isFinite);

/** Mean and standard deviation of numbers that are added, by Welford's recurrence; kept and gone on with as JSON. */
export class Moments {
  #count: number;
  #mean: number;
  #squares: number;

  /** @param state where others were */
  constructor([count, mean, squares]: MomentState = [0, 0, 0]) {
    [this.#count, this.#mean, this.#squares] = [count, mean, squares];
  }

  get state(): MomentState {
    return [this.#count, this.#mean, this.#squares];
  }

  add(values: Iterable<number>): void {
    for (const value of values) {
      const off = value - this.#mean;
      this.#mean += off / ++this.#count;
      this.#squares += off * (value - this.#mean);
    }
  }

  get mean(): number {
    return this.#mean;
  }

  /** The standard deviation of all that were added, divided by their number; 0 where there are none. */
  get std(): number {
    return Math.sqrt(this.#squares / Math.max(this.#count, 1));
  }
}
