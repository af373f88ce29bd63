import type { Tensor } from "../tensor/tensor.ts";

/** An op that ran, with what it was given: enough to do the same elsewhere. */
export interface Call {
  readonly op: string;
  readonly output: Tensor;
  readonly inputs: readonly Tensor[];
  readonly options: Readonly<Record<string, unknown>>;
}

let listed: Call[] | null = null;

/** Notes a call where `callsOf` is running. */
export function list(
  op: string,
  output: Tensor,
  inputs: readonly (readonly [tensor: Tensor, ...rest: unknown[]])[],
  options: Call["options"],
): void {
  listed?.push({ op, output, inputs: inputs.map(([tensor]) => tensor), options });
}

/** Runs `f` and lists the ops that it ran, in order. An op that is made of others is listed as those. */
export function callsOf<T>(f: () => T): { readonly result: T; readonly calls: readonly Call[] } {
  const outer = listed;
  const calls: Call[] = (listed = []);
  try {
    return { result: f(), calls };
  } finally {
    listed = outer;
  }
}
