import { rng } from "./bounds.ts";

/** Random choices, the same for the same seed. */
export class Draws {
  /** Uniform in [0, 1). */
  readonly unit: () => number;

  constructor(seed: number) {
    this.unit = rng(seed);
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.whole(0, choices.length - 1)]!;
  }

  /** True as often as `share` says. */
  chance(share = 0.5): boolean {
    return this.unit() < share;
  }

  /** Channels: one, a few, packed and not. */
  channels(most = 12): number {
    return Math.min(most, this.pick([1, 2, 3, 4, 5, 6, 8, 12]));
  }
}
