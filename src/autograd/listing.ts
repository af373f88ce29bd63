import type { Tensor } from "../tensor/tensor.ts";

/** An executed op and its arguments: enough to repeat it elsewhere. */
export interface Call {
  readonly op: string;
  readonly output: Tensor;
  readonly inputs: readonly Tensor[];
  readonly options: Readonly<Record<string, unknown>>;
}

let listed: Call[] | null = null;

/** Lists a call if `callsOf` is running. */
export function list(
  op: string,
  output: Tensor,
  inputs: readonly (readonly [tensor: Tensor, ...rest: unknown[]])[],
  options: Call["options"],
): void {
  listed?.push({ op, output, inputs: inputs.map(([tensor]) => tensor), options });
}

/** Runs `f` and lists the ops that it executed, in order. A composite op is listed as its parts. */
export function callsOf<T>(f: () => T): { readonly result: T; readonly calls: readonly Call[] } {
  const outer = listed;
  const calls: Call[] = (listed = []);
  try {
    return { result: f(), calls };
  } finally {
    listed = outer;
  }
}
