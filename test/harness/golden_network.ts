import { createHash } from "node:crypto";
import { expect } from "vitest";
import { loadNetwork, type NetworkOptions } from "../../src/backbones/network.ts";
import { networkOf, type PretrainedName } from "../../src/backbones/registry.ts";
import { fromArray, release, toArray } from "../../src/tensor/tensor.ts";
import { device } from "./device.ts";
import { madeUp, torchvisionTensors, uniform } from "./made_up_network.ts";

/** PyTorch's output of a stage. */
interface GoldenLayer {
  readonly shape: readonly number[];
  /** Sum of all squares. */
  readonly squares: number;
  /** Elements 0, 7919, 15838, ..., wrapping around. */
  readonly samples: readonly number[];
}

/**
 * Relative errors of all stages in the L2 norm: of the golden samples, or of the whole map's norm if that error is
 * larger.
 */
export async function errorsOf(
  name: PretrainedName,
  side: number,
  layers: readonly GoldenLayer[],
  options: NetworkOptions,
): Promise<number[]> {
  const network = networkOf(name);
  const loaded = await loadNetwork(device, network, network.stages, madeUp(name), options);
  const image = fromArray(device, [1, side, side, 3], uniform(3 * side * side, 0));
  const outputs = loaded.features(image);
  release(image);
  const errors: number[] = [];
  for (const [i, output] of outputs.entries()) {
    expect(output.shape).toEqual(layers[i]!.shape);
    expect(output.shape.at(-1)).toBe(network.stages[i]!.channels);
    expect(output.dtype).toBe(options.dtype ?? "f32");
    const values = await toArray(output);
    const got = layers[i]!.samples.map((_, j) => values[(j * 7919) % values.length]!);
    const difference = Math.sqrt(got.reduce((sum, x, j) => sum + (x - layers[i]!.samples[j]!) ** 2, 0));
    const size = Math.sqrt(layers[i]!.samples.reduce((sum, x) => sum + x * x, 0));
    const squares = values.reduce((sum, x) => sum + x * x, 0);
    errors.push(Math.max(difference / size, Math.abs(Math.sqrt(squares / layers[i]!.squares) - 1)));
    release(output);
  }
  expect(outputs).toHaveLength(layers.length);
  loaded.release();
  return errors;
}

/** SHA-256 of the names and shapes of a network's tensors in torchvision's files, in order, as in the golden files. */
export function tensorsHash(name: PretrainedName): string {
  const lines = [...torchvisionTensors(name)].map(([tensor, shape]) => `${tensor} ${shape.join(",")}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}
