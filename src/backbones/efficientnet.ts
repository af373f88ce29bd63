// EfficientNets B0 to B7: one table, scaled in width and depth. A stage is its last block's linear output.
import { add, multiply } from "../ops/elementwise.ts";
import { matmul } from "../ops/matmul.ts";
import { mean } from "../ops/reduce.ts";
import { reshape } from "../ops/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { NETWORK_PADDINGS, type NetworkPadding } from "./backbone.ts";
import type { Network, Step } from "./network.ts";
import { Convolution, type ConvolutionPlan, type Names } from "./parts.ts";

/** One MBConv block: expand, depthwise, squeeze and excitation, project. */
export interface BlockPlan {
  /** Place among all blocks, and among those of its stage. */
  readonly index: number;
  readonly stage: number;
  readonly indexInStage: number;
  /** Side of the depthwise filter. */
  readonly kernel: number;
  readonly stride: 1 | 2;
  readonly inputs: number;
  /** Channels of the depthwise filter; the inputs' number where the block does not expand. */
  readonly expanded: number;
  readonly squeezed: number;
  readonly outputs: number;
  /** Side of the input where the network is fed its native size: what static padding is computed for. */
  readonly nativeSide: number;
}

/** A network of the family, block by block. */
export interface NetworkPlan {
  readonly name: EfficientNetName;
  /** Side of the images that it was trained for, pixels. */
  readonly native: number;
  /** Channels of the first convolution. */
  readonly stem: number;
  readonly blocks: readonly BlockPlan[];
  /** Index of the last block at each of strides 2, 4, 8, 16 and 32: layers 1 to 5. */
  readonly layerEnds: readonly number[];
}

const STAGES = [
  { kernel: 3, stride: 1, expansion: 1, outputs: 16, repeats: 1 },
  { kernel: 3, stride: 2, expansion: 6, outputs: 24, repeats: 2 },
  { kernel: 5, stride: 2, expansion: 6, outputs: 40, repeats: 2 },
  { kernel: 3, stride: 2, expansion: 6, outputs: 80, repeats: 3 },
  { kernel: 5, stride: 1, expansion: 6, outputs: 112, repeats: 3 },
  { kernel: 5, stride: 2, expansion: 6, outputs: 192, repeats: 4 },
  { kernel: 3, stride: 1, expansion: 6, outputs: 320, repeats: 1 },
] as const;
const LAST_STAGES = [0, 1, 2, 4, 6]; // of layers 1 to 5
const STEM = 32;

const SCALING = {
  "efficientnet-b0": { width: 1, depth: 1, native: 224 },
  "efficientnet-b1": { width: 1, depth: 1.1, native: 240 },
  "efficientnet-b2": { width: 1.1, depth: 1.2, native: 260 },
  "efficientnet-b3": { width: 1.2, depth: 1.4, native: 300 },
  "efficientnet-b4": { width: 1.4, depth: 1.8, native: 380 },
  "efficientnet-b5": { width: 1.6, depth: 2.2, native: 456 },
  "efficientnet-b6": { width: 1.8, depth: 2.6, native: 528 },
  "efficientnet-b7": { width: 2, depth: 3.1, native: 600 },
} as const;
/** Name of a network of the family. */
export type EfficientNetName = keyof typeof SCALING;
/** The family, smallest first. */
export const EFFICIENTNETS = Object.keys(SCALING) as readonly EfficientNetName[];

const SMALL_EPS = /b[0-4]$/; // torchvision adds 1e-5 to these networks' variances, 1e-3 to the others'

/** Plans a network of the family: its base widths and depths, scaled. */
export function planOf(name: EfficientNetName): NetworkPlan {
  const { width, depth, native } = SCALING[name];
  const blocks: BlockPlan[] = [];
  const stageEnds: number[] = [];
  let inputs = scaledWidth(STEM, width);
  let nativeSide = Math.ceil(native / 2);
  STAGES.forEach(({ kernel, stride, expansion, outputs, repeats }, stage) => {
    const wide = scaledWidth(outputs, width);
    for (let i = 0; i < Math.ceil(repeats * depth); i++) {
      const step = i === 0 ? stride : 1;
      blocks.push({
        index: blocks.length,
        stage,
        indexInStage: i,
        kernel,
        stride: step,
        inputs,
        expanded: inputs * expansion,
        squeezed: Math.max(1, Math.floor(inputs / 4)),
        outputs: wide,
        nativeSide,
      });
      inputs = wide;
      nativeSide = Math.ceil(nativeSide / step);
    }
    stageEnds.push(blocks.length - 1);
  });
  const layerEnds = LAST_STAGES.map((stage) => stageEnds[stage]!);
  return { name, native, stem: scaledWidth(STEM, width), blocks, layerEnds };
}

/** A width scaled and rounded to a multiple of eight, never down by more than a tenth. */
function scaledWidth(channels: number, factor: number): number {
  const scaled = channels * factor;
  const rounded = Math.max(8, Math.floor((scaled + 4) / 8) * 8);
  return rounded < 0.9 * scaled ? rounded + 8 : rounded;
}

const STEM_NAMES: Names = {
  timm: ["conv_stem", "bn1"],
  torchvision: ["features.0.0", "features.0.1"],
  efficientnet_pytorch: ["_conv_stem", "_bn0"],
};

/**
 * Describes an EfficientNet.
 * @see Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019
 */
export function efficientNet(name: EfficientNetName): Network {
  const { native, stem: channels, blocks, layerEnds } = planOf(name);
  const stages = layerEnds.map((end, i) => ({ name: `layer${i + 1}`, stride: 2 << i, channels: blocks[end]!.outputs }));
  return {
    name,
    family: "EfficientNet",
    eps: { timm: 1e-3, torchvision: SMALL_EPS.test(name) ? 1e-5 : 1e-3, efficientnet_pytorch: 1e-3 },
    stages,
    paddings: NETWORK_PADDINGS,
    *steps(padding) {
      const stem = new Convolution({
        names: STEM_NAMES,
        inputs: 3,
        outputs: channels,
        activation: "silu",
        ...windowOf(padding!, 3, 2, native),
      });
      yield { convolutions: [stem], run: (images) => stem.apply(images) };
      for (const block of blocks) {
        yield { ...blockStep(block, padding!), stage: stages[layerEnds.indexOf(block.index)]?.name };
      }
    },
  };
}

function blockStep(plan: BlockPlan, padding: NetworkPadding): Step {
  const { kernel, stride, inputs, expanded, squeezed, outputs, nativeSide } = plan;
  const names = blockNames(plan);
  const expand = names.expand && new Convolution({ ...names.expand, inputs, outputs: expanded, activation: "silu" });
  const depthwise = new Convolution({
    ...names.depthwise,
    inputs: expanded,
    outputs: expanded,
    depthwise: true,
    activation: "silu",
    ...windowOf(padding, kernel, stride, nativeSide),
  });
  const reduce = new Convolution({ ...names.reduce, inputs: expanded, outputs: squeezed, activation: "silu" });
  const excite = new Convolution({ ...names.excite, inputs: squeezed, outputs: expanded, activation: "sigmoid" });
  const project = new Convolution({ ...names.project, inputs: expanded, outputs });
  const run = (input: Tensor): Tensor => {
    using scope = input.device.scope();
    const wide = expand ? expand.apply(input) : input;
    const filtered = depthwise.apply(wide);
    scope.release(wide.allocation);
    const gate = excite.apply(reduce.apply(mean(filtered, [1, 2])));
    const output = gatedProjection(filtered, gate, project);
    return scope.keep(stride === 1 && inputs === outputs ? add(output, input) : output);
  };
  return { convolutions: [...(expand ? [expand] : []), depthwise, reduce, excite, project], run };
}

/** Names of a block's convolutions; expand is null in blocks that do not expand. */
function blockNames({ index, stage, indexInStage, inputs, expanded }: BlockPlan) {
  const within = {
    timm: `blocks.${stage}.${indexInStage}.`,
    torchvision: `features.${stage + 1}.${indexInStage}.block.`,
    efficientnet_pytorch: `_blocks.${index}.`,
  };
  const named = (timm: Names[""], torchvision: Names[""], efficientnet_pytorch: Names[""]) => ({
    within,
    names: { timm, torchvision, efficientnet_pytorch },
  });
  const expands = expanded !== inputs;
  const at = expands ? 1 : 0; // place of the depthwise convolution
  const pointwise = expands ? "conv_pwl" : "conv_pw";
  return {
    expand: expands ? named(["conv_pw", "bn1"], ["0.0", "0.1"], ["_expand_conv", "_bn0"]) : null,
    depthwise: named(["conv_dw", `bn${at + 1}`], [`${at}.0`, `${at}.1`], ["_depthwise_conv", "_bn1"]),
    reduce: named(["se.conv_reduce"], [`${at + 1}.fc1`], ["_se_reduce"]),
    excite: named(["se.conv_expand"], [`${at + 1}.fc2`], ["_se_expand"]),
    project: named([pointwise, `bn${at + 2}`], [`${at + 2}.0`, `${at + 2}.1`], ["_project_conv", "_bn2"]),
  };
}

type Window = Pick<ConvolutionPlan, "kernel" | "stride" | "padding">;

/** Filter, stride and padding of a convolution; static padding is that of an image of the native side. */
function windowOf(padding: NetworkPadding, kernel: number, stride: number, nativeSide: number): Window {
  if (padding === "same") return { kernel, stride, padding };
  if (padding === "symmetric") return { kernel, stride, padding: (kernel - 1) / 2 };
  const total = Math.max(0, (Math.ceil(nativeSide / stride) - 1) * stride + kernel - nativeSide);
  const before = Math.floor(total / 2);
  return { kernel, stride, padding: [before, total - before, before, total - before] };
}

/**
 * A 1x1 convolution of an image whose channels are scaled. The gate scales each image's copy of the weight, whose K
 * columns are fewer than an image's H W positions in all but the smallest images, and no scaled image has to be stored.
 */
function gatedProjection(image: Tensor, gate: Tensor, { weight, bias }: Convolution): Tensor {
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const outputs = weight.shape[1]!;
  const scaled = multiply(reshape(weight, [1, channels, outputs]), reshape(gate, [batch, channels, 1]));
  const output = matmul(reshape(image, [batch, height * width, channels]), scaled, { bias });
  return reshape(output, [batch, height, width, outputs]);
}
