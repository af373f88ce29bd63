// Multi-head attention in float64, between the linear layers.

/** Rows of numbers. */
type Matrix = readonly (readonly number[])[];

/**
 * Attention of queries `[T, C]` to keys and values `[S, C]`, by its definition: in each head, the channels of which are
 * consecutive, the mean of the values weighted by softmax(query . key / sqrt(C / heads) + mask).
 * @param mask `[T, S]`
 */
export function attention(query: Matrix, key: Matrix, value: Matrix, heads: number, mask: Matrix): number[][] {
  const ofEach = query[0]!.length / heads;
  return query.map((asked, t) =>
    asked.map((_, channel) => {
      const first = Math.floor(channel / ofEach) * ofEach;
      const products = key.map((known, s) => {
        let sum = 0;
        for (let c = first; c < first + ofEach; c++) sum += asked[c]! * known[c]!;
        return sum / Math.sqrt(ofEach) + mask[t]![s]!;
      });
      const most = Math.max(...products);
      const weights = products.map((product) => Math.exp(product - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return weights.reduce((sum, weight, s) => sum + (weight / total) * value[s]![channel]!, 0);
    }),
  );
}

/** The product of rows `[T, I]` and a matrix `[I, O]`, plus a bias `[O]`. */
export const linear = (rows: Matrix, weight: Matrix, bias: readonly number[]): number[][] =>
  rows.map((row) => bias.map((offset, o) => row.reduce((sum, x, i) => sum + x * weight[i]![o]!, offset)));
