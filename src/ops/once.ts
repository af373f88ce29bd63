/**
 * A function that computes once: where several gradients come of one pass, the pullback that runs first makes them all.
 */
export function once<A, B>(f: (argument: A) => B): (argument: A) => B {
  let result: { readonly value: B } | null = null;
  return (argument) => (result ??= { value: f(argument) }).value;
}
