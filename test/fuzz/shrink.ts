type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The smallest problem found that still fails, one change after another: a part removed, a flag cleared, a number
 * lowered. Every change makes the problem smaller, so the search ends; `most` bounds the tries.
 * @param fails true if a candidate is valid and fails in the same way
 */
export async function shrink<P>(problem: P, fails: (candidate: P) => Promise<boolean>, most = 400): Promise<P> {
  let smallest = problem;
  let tries = 0;
  for (let found = true; found;) {
    found = false;
    for (const candidate of smaller(smallest as Json)) {
      if (tries++ === most) return smallest;
      if (!(await fails(candidate as P))) continue;
      smallest = candidate as P;
      found = true;
      break;
    }
  }
  return smallest;
}

/** Everything that is one change smaller than a value, the largest changes first. */
export function* smaller(value: Json): Generator<Json> {
  if (typeof value === "number") yield* smallerNumbers(value);
  else if (value === true) yield false;
  else if (Array.isArray(value)) {
    const items = value as readonly Json[];
    for (const i of items.keys()) yield items.toSpliced(i, 1);
    for (const [i, item] of items.entries()) for (const next of smaller(item)) yield items.with(i, next);
  } else if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    for (const [key] of entries) yield Object.fromEntries(entries.filter(([other]) => other !== key));
    for (const [key, item] of entries) for (const next of smaller(item)) yield { ...value, [key]: next };
  }
}

/** Integers nearer to zero; a fraction counts as larger than every integer. */
function* smallerNumbers(x: number): Generator<number> {
  if (!Number.isFinite(x)) return;
  const towards = Math.sign(x);
  const candidates = Number.isInteger(x) ? [0, towards, Math.trunc(x / 2), x - towards] : [1, Math.trunc(x)];
  for (const candidate of new Set(candidates)) {
    if (!Number.isInteger(x) || Math.abs(candidate) < Math.abs(x)) yield candidate;
  }
}
