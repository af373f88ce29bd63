/**
 * Memoises a function after its first call: when one pass computes several gradients, the first pullback to run
 * computes them all.
 */
export function once<A, B>(f: (argument: A) => B): (argument: A) => B {
  let result: { readonly value: B } | null = null;
  return (argument) => (result ??= { value: f(argument) }).value;
}
