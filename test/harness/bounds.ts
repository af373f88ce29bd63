export const EPS_F32 = 2 ** -24;
export const EPS_F16 = 2 ** -11;

export const LARGEST_F16 = 65504;

const LEAST_F16 = 2 ** -24; // spacing of f16 near zero

/**
 * Describes the worst violation of |got - want| <= eps * magnitude, or returns null: `magnitude` is the scale at which
 * rounding errors arise. NaN never passes.
 */
export function excessOf(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  magnitude: ArrayLike<number>,
  eps: number,
  dtype: "f32" | "f16",
): string | null {
  if (got.length !== want.length) return `: ${got.length} elements, expected ${want.length}`;
  let worst = { ratio: 0, i: -1 };
  for (let i = 0; i < want.length; i++) {
    const ratio =
      Math.abs(got[i]! - want[i]!) / (eps * magnitude[i]! + (dtype === "f16" ? LEAST_F16 : Number.MIN_VALUE));
    if (!(ratio <= worst.ratio)) worst = { ratio, i };
  }
  const { ratio, i } = worst;
  return ratio <= 1 ? null : `[${i}]: got ${got[i]}, expected ${want[i]}, ${ratio.toFixed(1)} times the allowed error`;
}

/** Deterministic uniform numbers in [0, 1) (mulberry32), so that a failure can be reproduced. */
export function rng(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
