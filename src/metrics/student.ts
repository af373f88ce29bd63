/**
 * Quantile of Student's t distribution.
 *
 * @param p probability, in (0, 1)
 * @param freedom degrees of freedom, at least 1
 * @returns x with P(T <= x) = p, to a relative error of 1e-10
 * @see DLMF 8.17 for the incomplete beta function that its distribution function is made of
 */
export function studentQuantile(p: number, freedom: number): number {
  if (p === 0.5) return 0;
  if (p < 0.5) return -studentQuantile(1 - p, freedom);
  let [low, high] = [0, 1];
  while (studentTail(high, freedom) > 1 - p) [low, high] = [high, 2 * high];
  for (let i = 0; i < 200 && high - low > 1e-11 * high; i++) {
    const middle = (low + high) / 2;
    if (studentTail(middle, freedom) > 1 - p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * P(T > x) of Student's t distribution.
 * @param x at least 0
 * @param freedom degrees of freedom, at least 1
 */
export const studentTail = (x: number, freedom: number): number =>
  incompleteBeta(freedom / (freedom + x * x), freedom / 2, 0.5) / 2;

/** The regularised incomplete beta function I_x(a, b). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean; above it, its reflection does.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  return front / continuedFraction(x, a, b);
}

/** 1 + d1/(1 + d2/(1 + ...)) of DLMF 8.17.22, evaluated from its far end. */
function continuedFraction(x: number, a: number, b: number): number {
  let value = 1;
  for (let n = 400; n >= 1; n--) {
    const m = n >> 1;
    const d =
      n % 2 === 0
        ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
        : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    value = 1 + d / value;
  }
  return value;
}

/** The logarithm of the gamma function, for x > 0: Stirling's series, after the recurrence has made x large. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z++) shift -= Math.log(z);
  const r = 1 / (z * z);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / z;
  return shift + (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series;
}
