// EfficientNet's family: one table, scaled in width and depth.

/** The family, smallest first. */
export const EFFICIENTNETS = [
  "efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3", "efficientnet-b4", "efficientnet-b5", "efficientnet-b6", "efficientnet-b7",
] as const;
/** The name of one of them. */
export type EfficientNetName = (typeof EFFICIENTNETS)[number];

/** Where on the hub a network's public checkpoint is: ImageNet with AutoAugment, as published by its authors. */
export const repositoryOf = (name: EfficientNetName): string => `timm/tf_${name.replace("-", "_")}.aa_in1k`;

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

/** What a network of the family consists of. */
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

const SCALING: Readonly<Record<EfficientNetName, { readonly width: number; readonly depth: number; readonly native: number }>> = {
  "efficientnet-b0": { width: 1, depth: 1, native: 224 },
  "efficientnet-b1": { width: 1, depth: 1.1, native: 240 },
  "efficientnet-b2": { width: 1.1, depth: 1.2, native: 260 },
  "efficientnet-b3": { width: 1.2, depth: 1.4, native: 300 },
  "efficientnet-b4": { width: 1.4, depth: 1.8, native: 380 },
  "efficientnet-b5": { width: 1.6, depth: 2.2, native: 456 },
  "efficientnet-b6": { width: 1.8, depth: 2.6, native: 528 },
  "efficientnet-b7": { width: 2, depth: 3.1, native: 600 },
};

/**
 * What a network of the family consists of.
 * @see Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019
 */
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
        index: blocks.length, stage, indexInStage: i, kernel, stride: step, inputs,
        expanded: inputs * expansion, squeezed: Math.max(1, Math.floor(inputs / 4)), outputs: wide, nativeSide,
      });
      inputs = wide;
      nativeSide = Math.ceil(nativeSide / step);
    }
    stageEnds.push(blocks.length - 1);
  });
  return { name, native, stem: scaledWidth(STEM, width), blocks, layerEnds: LAST_STAGES.map((stage) => stageEnds[stage]!) };
}

/** A width scaled and rounded to a multiple of eight, never down by more than a tenth. */
function scaledWidth(channels: number, factor: number): number {
  const scaled = channels * factor;
  const rounded = Math.max(8, Math.floor((scaled + 4) / 8) * 8);
  return rounded < 0.9 * scaled ? rounded + 8 : rounded;
}
