import type { NetworkPlan } from "../src/backbones/efficientnet/architecture.ts";
import type { Checkpoint } from "../src/backbones/efficientnet/checkpoint.ts";
import { countOf } from "../src/tensor/tensor.ts";

/** Numbers in [-1, 1) by a hash of (key, index); the same in tools/golden_efficientnet.py. */
export function uniform(count: number, key: number): Float32Array {
  const values = new Float32Array(count); // a loop: Float32Array.from takes many times as long, and networks are large
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 0x9e3779b9) + key) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    x = (x ^ (x >>> 15)) >>> 0;
    values[i] = (x >>> 8) / 2 ** 23 - 1;
  }
  return values;
}

export const NORM_PARTS = ["weight", "bias", "running_mean", "running_var"];

/** Names and shapes of torchvision's tensors up to the last stage, in its order. */
function torchvisionTensors({ stem, blocks }: NetworkPlan): (readonly [name: string, shape: readonly number[]])[] {
  const unit = (at: string, shape: readonly [number, number, number, number]) => [
    [`${at}.0.weight`, shape] as const,
    ...NORM_PARTS.map((part) => [`${at}.1.${part}`, [shape[0]]] as const),
  ];
  return [
    ...unit("features.0", [stem, 3, 3, 3]),
    ...blocks.flatMap(({ stage, indexInStage, kernel, inputs, expanded, squeezed, outputs }) => {
      const at = `features.${stage + 1}.${indexInStage}.block`;
      const first = expanded === inputs ? 0 : 1;
      return [
        ...(first === 1 ? unit(`${at}.0`, [expanded, inputs, 1, 1]) : []),
        ...unit(`${at}.${first}`, [expanded, 1, kernel, kernel]),
        [`${at}.${first + 1}.fc1.weight`, [squeezed, expanded, 1, 1]] as const,
        [`${at}.${first + 1}.fc1.bias`, [squeezed]] as const,
        [`${at}.${first + 1}.fc2.weight`, [expanded, squeezed, 1, 1]] as const,
        [`${at}.${first + 1}.fc2.bias`, [expanded]] as const,
        ...unit(`${at}.${first + 2}`, [outputs, expanded, 1, 1]),
      ];
    }),
  ];
}

/** Made-up weights; each is made when it is asked for. */
export function madeUp(plan: NetworkPlan): Checkpoint {
  const tensors = new Map(torchvisionTensors(plan).map(([name, shape], i) => [name, { shape, key: i + 1 }]));
  return {
    source: "made-up weights",
    sha256: "",
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    read: (name) => {
      const { shape, key } = tensors.get(name)!;
      const deviation = name.endsWith("running_var") || (name.endsWith("weight") && shape.length === 1);
      const gain = Math.sqrt(4.5 / countOf(shape.slice(1)));
      const [offset, scale] = deviation ? [1, 0.5] : [0, shape.length === 1 ? 0.2 : gain];
      const values = uniform(countOf(shape), key);
      for (let i = 0; i < values.length; i++) values[i] = offset + scale * values[i]!;
      return Promise.resolve({ dtype: "F32", shape, bytes: new Uint8Array(values.buffer) });
    },
  };
}
