// Float64 definitions of the mean of the k largest, and of histograms.

type Numbers = ArrayLike<number>;

export interface TopK {
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
}

function* rowsOf({ rows, columns }: TopK, input: Numbers) {
  for (let row = 0; row < rows; row++)
    yield { row, values: Array.from(input).slice(row * columns, (row + 1) * columns) };
}

export function topKMean(p: TopK, input: Numbers): Float64Array {
  const output = new Float64Array(p.rows);
  for (const { row, values } of rowsOf(p, input)) {
    output[row] =
      values
        .sort((a, b) => b - a)
        .slice(0, p.k)
        .reduce((sum, x) => sum + x, 0) / p.k;
  }
  return output;
}

/** Elements above the k-th largest weigh 1; it and its ties share the rest evenly. */
export function topKMeanBackward(p: TopK, input: Numbers, gradOutput: Numbers): Float64Array {
  const grad = new Float64Array(p.rows * p.columns);
  for (const { row, values } of rowsOf(p, input)) {
    const threshold = [...values].sort((a, b) => b - a)[p.k - 1]!;
    const above = values.filter((x) => x > threshold).length;
    const equal = values.filter((x) => x === threshold).length;
    values.forEach(
      (x, i) =>
        (grad[row * p.columns + i] =
          (gradOutput[row]! / p.k) * (x > threshold ? 1 : x === threshold ? (p.k - above) / equal : 0)),
    );
  }
  return grad;
}

export function histogram(input: Numbers, bins: number, low: number, high: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const x of Array.from(input)) {
    if (x >= low && x <= high) counts[Math.min(bins - 1, Math.floor(((x - low) / (high - low)) * bins))]!++;
  }
  return counts;
}
