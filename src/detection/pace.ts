interface Taken {
  seconds: number;
  steps: number;
}

/** Measures the pace of each stage and estimates the time left. */
export class Pace {
  readonly #stages = new Map<string, Taken>();

  /** Notes a step. */
  add(stage: string, seconds: number): void {
    const before = this.#stages.get(stage) ?? { seconds: 0, steps: 0 };
    this.#stages.set(stage, { seconds: before.seconds + seconds, steps: before.steps + 1 });
  }

  /**
   * Estimates the seconds that steps will take. A stage without measurements is taken to be as fast as the one with the
   * most steps.
   * @param remaining steps to be taken, by stage
   */
  secondsFor(remaining: readonly { readonly stage: string; readonly steps: number }[]): number {
    const longest = [...this.#stages.values()].reduce((a, b) => (b.steps > a.steps ? b : a));
    return remaining.reduce((sum, { stage, steps }) => {
      const taken = this.#stages.get(stage) ?? longest;
      return sum + (steps * taken.seconds) / taken.steps;
    }, 0);
  }
}
