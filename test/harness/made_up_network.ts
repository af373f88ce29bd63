import { networkTensors } from "../../src/backbones/network.ts";
import { networkOf, type PretrainedName } from "../../src/backbones/registry.ts";
import type { PretrainedWeights } from "../../src/backbones/weights.ts";
import { countOf } from "../../src/tensor/tensor.ts";

/** Numbers in [-1, 1) by a hash of (key, index); the same in tools/golden/hashed.py. */
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

/** Names and shapes of a network's tensors in torchvision's files, in its order. */
export function torchvisionTensors(name: PretrainedName): ReadonlyMap<string, readonly number[]> {
  const network = networkOf(name);
  return networkTensors(
    network,
    Object.keys(network.eps).find((libraries) => libraries.includes("torchvision")),
  );
}

/** Made-up weights under torchvision's names; each is made on request. */
export function madeUp(name: PretrainedName): PretrainedWeights {
  const tensors = new Map([...torchvisionTensors(name)].map(([tensor, shape], i) => [tensor, { shape, key: i + 1 }]));
  return {
    source: "made-up weights",
    sha256: "",
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    read: (name) => {
      const { shape, key } = tensors.get(name)!;
      const std = name.endsWith("running_var") || (name.endsWith("weight") && shape.length === 1);
      const gain = Math.sqrt(4.5 / countOf(shape.slice(1)));
      const [offset, scale] = std ? [1, 0.5] : [0, shape.length === 1 ? 0.2 : gain];
      const values = uniform(countOf(shape), key);
      for (let i = 0; i < values.length; i++) values[i] = offset + scale * values[i]!;
      return Promise.resolve({ dtype: "F32", shape, bytes: new Uint8Array(values.buffer) });
    },
  };
}
