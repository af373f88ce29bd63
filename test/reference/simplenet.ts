// SimpleNet's losses in float64.

/** Focal loss of log odds, of exponent 4, by its definition: minus (1 - p)^4 log p of what is right, its mean. */
export function focalLoss(scores: readonly number[], marks: readonly number[]): number {
  const terms = scores.map((score, i) => {
    const right = 1 / (1 + Math.exp(marks[i] === 1 ? -score : score));
    return -((1 - right) ** 4) * Math.log(right);
  });
  return terms.reduce((sum, term) => sum + term, 0) / scores.length;
}
