import { fromArray, countOf, toArray, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "./device.ts";
import { uniform } from "./made_up_network.ts";

/** Summary of a tensor, as tools/golden/hashed.py makes it: its norm, its product with a fixed one, and some elements. */
export interface Summary {
  readonly norm: number;
  readonly probe: number;
  readonly samples: readonly number[];
}

const PROBE_KEY = 9000;

/** A tensor of hashed numbers in [-1, 1), each changed by `value`. */
export const hashed = (shape: Shape, key: number, value: (u: number, i: number) => number = (u) => u): Tensor =>
  fromArray(device, shape, uniform(countOf(shape), key).map(value));

const normOf = (x: ArrayLike<number>): number =>
  Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));

/**
 * The largest relative error among a tensor's norm, its elements together, and its product, which may be near 0, by the
 * norms.
 */
export async function difference(got: Tensor, want: Summary): Promise<number> {
  const values = await toArray(got);
  const probe = uniform(values.length, PROBE_KEY);
  if (want.norm === 0) return normOf(values);
  const product = values.reduce((sum, x, i) => sum + x * probe[i]!, 0);
  const samples = want.samples.map((_, j) => values[(j * 7919) % values.length]!);
  const scale = Math.max(normOf(want.samples), want.norm * Math.sqrt(samples.length / values.length));
  return Math.max(
    Math.abs(normOf(values) / want.norm - 1),
    Math.abs(product - want.probe) / (want.norm * normOf(probe)),
    normOf(samples.map((x, i) => x - want.samples[i]!)) / scale,
  );
}
