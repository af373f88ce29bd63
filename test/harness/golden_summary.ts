// Tensors beside what a golden file says of them (tools/golden/summaries.py).
import { toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { uniform } from "./made_up_network.ts";

const PROBE_KEY = 9000;

/** Summary of a tensor: its norm, its product with a fixed one, and some elements. */
export interface Summary {
  readonly norm: number;
  readonly probe: number;
  readonly samples: readonly number[];
}

const errorOf = (got: readonly number[], want: readonly number[]): number =>
  Math.sqrt(
    got.reduce((sum, x, i) => sum + (x - want[i]!) ** 2, 0) /
      Math.max(
        want.reduce((sum, x) => sum + x * x, 0),
        Number.MIN_VALUE,
      ),
  );

/**
 * The largest relative error among a tensor's norm, its elements together, and its product, which may be near 0, by the
 * norms.
 */
export async function difference(got: Tensor, want: Summary): Promise<number> {
  const values = await toArray(got);
  const probe = uniform(values.length, PROBE_KEY);
  const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  if (want.norm === 0) return norm(values);
  const product = values.reduce((sum, x, i) => sum + x * probe[i]!, 0);
  const samples = want.samples.map((_, j) => values[(j * 7919) % values.length]!);
  const scale = Math.max(
    Math.sqrt(want.samples.reduce((sum, x) => sum + x * x, 0)),
    want.norm * Math.sqrt(samples.length / values.length),
  );
  return Math.max(
    Math.abs(norm(values) / want.norm - 1),
    Math.abs(product - want.probe) / (want.norm * norm(probe)),
    (errorOf(samples, want.samples) * Math.sqrt(want.samples.reduce((sum, x) => sum + x * x, 0))) / scale,
  );
}
