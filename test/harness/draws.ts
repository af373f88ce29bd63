import { rng } from "./bounds.ts";

/** Random choices, determined by the seed. */
export class Draws {
  /** Uniform in [0, 1). */
  readonly unit: () => number;

  constructor(seed: number) {
    this.unit = rng(seed);
  }

  /** An integer from `low` to `high`, inclusive. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.whole(0, choices.length - 1)]!;
  }

  /** True with probability `share`. */
  chance(share = 0.5): boolean {
    return this.unit() < share;
  }

  /** A number of channels: one, a few, packed or not. */
  channels(most = 12): number {
    return Math.min(most, this.pick([1, 2, 3, 4, 5, 6, 8, 12]));
  }
}
