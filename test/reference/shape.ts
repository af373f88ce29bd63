// Definitions of concat and slice along the last axis, on rows.

type Numbers = ArrayLike<number>;

const rowOf = (a: Numbers, width: number, row: number): number[] => Array.from(a).slice(row * width, (row + 1) * width);

/** The rows of all inputs side by side. */
export function concat(rows: number, widths: readonly number[], inputs: readonly Numbers[]): Float64Array {
  return Float64Array.from(Array.from({ length: rows }, (_, row) => inputs.flatMap((input, i) => rowOf(input, widths[i]!, row))).flat());
}

/** `columns` columns from `offset` of every row. */
export function slice(rows: number, width: number, offset: number, columns: number, input: Numbers): Float64Array {
  return Float64Array.from(Array.from({ length: rows }, (_, row) => rowOf(input, width, row).slice(offset, offset + columns)).flat());
}

/** A gradient of `slice`: its columns where they came from, between zeros. */
export function sliceBackward(rows: number, width: number, offset: number, columns: number, gradOutput: Numbers): Float64Array {
  const zeros = (n: number) => new Float64Array(rows * n);
  const right = width - offset - columns;
  return concat(rows, [offset, columns, right], [zeros(offset), gradOutput, zeros(right)]);
}
