/**
 * Describes the first NaN or infinity for an error message, such as "NaN at element 5"; null if every value is finite.
 */
export function nonFinite(values: Float32Array): string | null {
  const at = values.findIndex((value) => !Number.isFinite(value));
  return at < 0 ? null : `${values[at]} at element ${at}`;
}
