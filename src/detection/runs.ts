/** Neighbouring pixels of a row. */
export interface Run {
  readonly y: number;
  /** First column, and the one behind the last. */
  readonly first: number;
  readonly end: number;
  /** The largest value in it. */
  readonly peak: number;
}

/**
 * Puts runs that touch together, also at corners.
 * @param runs row by row, from left to right
 * @returns the runs of each region in the same order; regions in the order of their first runs
 */
export function regionsOf(runs: readonly Run[]): readonly (readonly Run[])[] {
  const parents = Int32Array.from(runs.keys()); // of a forest, whose roots are the first runs of regions
  const rootOf = (at: number): number => {
    while (parents[at] !== at) at = parents[at] = parents[parents[at]!]!;
    return at;
  };
  let above = 0; // the first run of the row above that may touch
  for (let at = 0; at < runs.length; at++) {
    const { y, first, end } = runs[at]!;
    while (above < at && (runs[above]!.y < y - 1 || (runs[above]!.y === y - 1 && runs[above]!.end < first))) above++;
    for (let other = above; other < at && runs[other]!.y === y - 1 && runs[other]!.first <= end; other++) {
      const [a, b] = [rootOf(at), rootOf(other)];
      parents[Math.max(a, b)] = Math.min(a, b);
    }
  }
  const regions = new Map<number, Run[]>();
  runs.forEach((run, at) => {
    const root = rootOf(at);
    const region = regions.get(root);
    if (region) region.push(run);
    else regions.set(root, [run]);
  });
  return [...regions.values()];
}
