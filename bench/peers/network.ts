// EfficientNet's layers 3 and 4 with made-up weights: as a file for bigrid, as folded layers for the other libraries,
// and in float64 from the unfolded weights, convolution by convolution.
import { writeFileSync } from "node:fs";
import { planOf, type EfficientNetName, type NetworkPlan } from "../../src/backbones/efficientnet.ts";
import { readValues } from "../../src/backbones/weights.ts";
import { weightFromOihw } from "../../src/io/nchw.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { madeUp } from "../../test/harness/made_up_network.ts";
import { DEFINITIONS } from "../../test/reference/activation.ts";
import type { Input } from "./input.ts";
import { seeded, type Problem } from "./problems.ts";

const LAYERS = [3, 4];
const SIDE = 224;
const DISTINCT = 2; // distinct images of a batch; the others repeat them, so that two references are enough

/** A convolution `[R,S,C,K]`, or `[R,S,C]` if it is depthwise, and the bias added after it. */
export interface Layer {
  readonly weight: Input;
  readonly bias: Input;
}

/** A block of the network with its norms folded in. */
export interface FoldedBlock {
  readonly expand: Layer | null;
  readonly depthwise: Layer;
  readonly reduce: Layer;
  readonly excite: Layer;
  readonly project: Layer;
  readonly stride: number;
  /** Side of the block's input. */
  readonly side: number;
  readonly isResidual: boolean;
}

export interface FoldedNetwork {
  readonly stem: Layer;
  readonly blocks: readonly FoldedBlock[];
  /** Indices of the blocks whose outputs are compared. */
  readonly ends: readonly number[];
}

const eps = (name: EfficientNetName): number => (/b[567]$/.test(name) ? 1e-3 : 1e-5); // torchvision's

/** A network whose norms are folded into its convolutions; its weights have torchvision's names. */
export async function folded(plan: NetworkPlan, side: number): Promise<FoldedNetwork> {
  const ends = LAYERS.map((layer) => plan.layerEnds[layer - 1]!);
  const weights = madeUp(plan.name);
  const weightOf = async (prefix: string): Promise<Float32Array> => {
    const shape = weights.shapes.get(`${prefix}.weight`) as readonly [number, number, number, number];
    return weightFromOihw(await readValues(weights, `${prefix}.weight`), shape);
  };
  const convolution = async (prefix: string, shape: readonly number[]): Promise<Layer> => {
    const [data, weight, bias, mean, variance] = (await Promise.all([
      weightOf(`${prefix}.0`),
      ...["weight", "bias", "running_mean", "running_var"].map((part) => readValues(weights, `${prefix}.1.${part}`)),
    ])) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
    const scale = Float64Array.from(weight, (value, k) => value / Math.sqrt(variance[k]! + eps(plan.name)));
    return {
      weight: { shape, data: data.map((value, i) => value * scale[i % scale.length]!) },
      bias: { shape: [scale.length], data: Float32Array.from(scale, (s, k) => bias[k]! - mean[k]! * s) },
    };
  };
  const linear = async (prefix: string, inputs: number, outputs: number): Promise<Layer> => ({
    weight: { shape: [1, 1, inputs, outputs], data: await weightOf(prefix) },
    bias: { shape: [outputs], data: await readValues(weights, `${prefix}.bias`) },
  });
  const blocks: FoldedBlock[] = [];
  let extent = Math.ceil(side / 2);
  for (const block of plan.blocks.slice(0, Math.max(...ends) + 1)) {
    const { stage, indexInStage, kernel, stride, inputs, expanded, squeezed, outputs } = block;
    const at = `features.${stage + 1}.${indexInStage}.block`;
    const depthwise = expanded === inputs ? 0 : 1;
    blocks.push({
      expand: depthwise === 1 ? await convolution(`${at}.0`, [1, 1, inputs, expanded]) : null,
      depthwise: await convolution(`${at}.${depthwise}`, [kernel, kernel, expanded]),
      reduce: await linear(`${at}.${depthwise + 1}.fc1`, expanded, squeezed),
      excite: await linear(`${at}.${depthwise + 1}.fc2`, squeezed, expanded),
      project: await convolution(`${at}.${depthwise + 2}`, [1, 1, expanded, outputs]),
      stride,
      side: extent,
      isResidual: stride === 1 && inputs === outputs,
    });
    extent = Math.ceil(extent / stride);
  }
  return { stem: await convolution("features.0", [3, 3, 3, plan.stem]), blocks, ends };
}

/** Writes the same weights, unfolded, as a file with torchvision's names. */
async function writeWeights(name: EfficientNetName, path: string): Promise<void> {
  const { shapes, read } = madeUp(name);
  const tensors = await Promise.all([...shapes.keys()].map(async (name) => [name, await read(name)] as const));
  writeFileSync(path, encodeSafetensors({ tensors: new Map(tensors), metadata: {} }));
}

interface Image {
  readonly side: number;
  readonly channels: number;
  readonly data: Float64Array;
}

const { sigmoid, silu } = DEFINITIONS;

/** The convolution product by product, with TensorFlow's padding. */
function convolved(
  { side, channels, data }: Image,
  { weight, bias }: Layer,
  stride: number,
  value: (x: number) => number,
): Image {
  const [extent, , inputs, outputs = inputs] = weight.shape as [number, number, number, number?];
  const isDepthwise = weight.shape.length === 3;
  const [outSide, outChannels] = [Math.ceil(side / stride), outputs];
  const before = Math.floor(Math.max(0, (outSide - 1) * stride + extent - side) / 2);
  const output = new Float64Array(outSide * outSide * outChannels);
  for (let at = 0; at < outSide * outSide; at++) {
    const sums = output.subarray(at * outChannels, (at + 1) * outChannels);
    sums.set(bias.data);
    for (let r = 0; r < extent; r++) {
      for (let s = 0; s < extent; s++) {
        const [h, w] = [Math.floor(at / outSide) * stride + r - before, (at % outSide) * stride + s - before];
        if (h < 0 || h >= side || w < 0 || w >= side) continue;
        const [pixel, tap] = [(h * side + w) * channels, r * extent + s];
        for (let c = 0; c < channels; c++) {
          const x = data[pixel + c]!;
          if (isDepthwise) sums[c]! += x * weight.data[tap * channels + c]!;
          else
            for (let k = 0, row = (tap * channels + c) * outputs; k < outputs; k++)
              sums[k]! += x * weight.data[row + k]!;
        }
      }
    }
  }
  return { side: outSide, channels: outChannels, data: output.map(value) };
}

const unchanged = (x: number): number => x;

function blockOf(input: Image, { expand, depthwise, reduce, excite, project, stride, isResidual }: FoldedBlock): Image {
  const wide = expand ? convolved(input, expand, 1, silu.value) : input;
  const filtered = convolved(wide, depthwise, stride, silu.value);
  const means = new Float64Array(filtered.channels);
  filtered.data.forEach((value, i) => (means[i % filtered.channels]! += value / filtered.side ** 2));
  const gate = convolved(
    convolved({ side: 1, channels: filtered.channels, data: means }, reduce, 1, silu.value),
    excite,
    1,
    sigmoid.value,
  );
  const gated = { ...filtered, data: filtered.data.map((value, i) => value * gate.data[i % filtered.channels]!) };
  const narrow = convolved(gated, project, 1, unchanged);
  return isResidual ? { ...narrow, data: narrow.data.map((value, i) => value + input.data[i]!) } : narrow;
}

/** Features of one image `[side, side, 3]` in float64. */
export function features({ stem, blocks, ends }: FoldedNetwork, image: Float32Array, side: number): Float64Array[] {
  let current = convolved({ side, channels: 3, data: Float64Array.from(image) }, stem, 2, silu.value);
  const found: Float64Array[] = [];
  blocks.forEach((block, i) => {
    current = blockOf(current, block);
    if (ends.includes(i)) found.push(current.data);
  });
  return found;
}

/** Rows of one network, for each number of images. */
export async function networkProblems(
  name: EfficientNetName,
  batches: readonly number[],
  weightsFile: string,
): Promise<Problem[]> {
  const plan = planOf(name);
  await writeWeights(name, weightsFile);
  const network = await folded(plan, SIDE);
  const images = Array.from({ length: DISTINCT }, (_, i) => seeded(SIDE * SIDE * 3, 31 + i, 2));
  const known: Float64Array[][] = [];
  const featuresOf = (i: number): Float64Array[] => (known[i] ??= features(network, images[i]!, SIDE));
  return batches.map((batch) => {
    const picked = Array.from({ length: batch }, (_, i) => i % DISTINCT);
    return {
      name: `${batch} x ${name}`,
      kind: "efficientNet",
      title: `${name.replace("efficientnet-b", "EfficientNet-B")}, ${batch === 1 ? "1 image" : `${batch} images`}`,
      inputs: { images: { shape: [batch, SIDE, SIDE, 3], data: joined(picked.map((i) => images[i]!)) } },
      settings: { name, file: weightsFile, ...network },
      expected: () => LAYERS.map((_, layer) => joined(picked.map((i) => featuresOf(i)[layer]!))),
      tolerance: 1e-4,
      images: batch,
    };
  });
}

function joined(parts: readonly Float32Array[]): Float32Array;
function joined(parts: readonly Float64Array[]): Float64Array;
function joined(parts: readonly (Float32Array | Float64Array)[]): Float32Array | Float64Array {
  const count = parts.reduce((sum, { length }) => sum + length, 0);
  const whole = parts[0] instanceof Float32Array ? new Float32Array(count) : new Float64Array(count);
  parts.reduce((at, part) => {
    whole.set(part, at);
    return at + part.length;
  }, 0);
  return whole;
}
