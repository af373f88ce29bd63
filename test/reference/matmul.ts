// Float64 definition of the batched matrix product: three loops.

export interface Problem {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** [G,M,K] x [G,K,N] + [N] -> [G,M,N]. */
export function forward(
  { batch, m, n, k }: Problem,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  bias: ArrayLike<number>,
): Float64Array {
  const output = new Float64Array(batch * m * n);
  for (let g = 0; g < batch; g++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = bias[j]!;
        for (let l = 0; l < k; l++) sum += a[(g * m + i) * k + l]! * b[(g * k + l) * n + j]!;
        output[(g * m + i) * n + j] = sum;
      }
    }
  }
  return output;
}

/** Gradients of a, b and bias: every product of the forward sum, with respect to each factor. */
export function backward(
  { batch, m, n, k }: Problem,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  gradOutput: ArrayLike<number>,
): Float64Array[] {
  const [gradA, gradB, gradBias] = [
    new Float64Array(batch * m * k),
    new Float64Array(batch * k * n),
    new Float64Array(n),
  ] as const;
  for (let g = 0; g < batch; g++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const d = gradOutput[(g * m + i) * n + j]!;
        gradBias[j]! += d;
        for (let l = 0; l < k; l++) {
          gradA[(g * m + i) * k + l]! += d * b[(g * k + l) * n + j]!;
          gradB[(g * k + l) * n + j]! += d * a[(g * m + i) * k + l]!;
        }
      }
    }
  }
  return [gradA, gradB, gradBias];
}
