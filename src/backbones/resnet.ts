// ResNets as torchvision has them: the stride of a bottleneck is in its 3x3 convolution ("v1.5"). Stages are outputs behind a layer's last ReLU.
import { activation } from "../ops/activation.ts";
import { add } from "../ops/elementwise.ts";
import { maxPool } from "../ops/pool.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Network, Step } from "./network.ts";
import { Convolution, type ConvolutionPlan } from "./parts.ts";

const LIBRARIES = "timm, torchvision"; // whose names are the same

const RESNETS = {
  "resnet18": { blocks: [2, 2, 2, 2], bottleneck: false, width: 1 },
  "resnet50": { blocks: [3, 4, 6, 3], bottleneck: true, width: 1 },
  "wide-resnet50-2": { blocks: [3, 4, 6, 3], bottleneck: true, width: 2 },
} as const;

/** Name of a network of the family. */
export type ResNetName = keyof typeof RESNETS;

const STEM = 64; // channels; a layer's blocks are this wide, doubled by each layer
const EXPANSION = 4; // of a bottleneck's last convolution

/**
 * Describes a ResNet.
 * @see He et al., "Deep residual learning for image recognition", 2016; Zagoruyko and Komodakis, "Wide residual networks", 2016
 */
export function resnet(name: ResNetName): Network {
  const { blocks, bottleneck, width } = RESNETS[name];
  const stages = blocks.map((_, layer) => ({ name: `layer${layer + 1}`, stride: 4 << layer, channels: (STEM << layer) * (bottleneck ? EXPANSION : 1) }));
  return {
    name,
    family: "ResNet",
    eps: { [LIBRARIES]: 1e-5 },
    stages,
    paddings: [],
    *steps() {
      const stem = convolution("conv1", "bn1", { inputs: 3, outputs: STEM, kernel: 7, stride: 2, activation: "relu" });
      yield { convolutions: [stem], run: (images) => pooledStem(stem, images) };
      let inputs = STEM;
      for (const [layer, { name: stage, channels: outputs }] of stages.entries()) {
        for (let i = 0; i < blocks[layer]!; i++) {
          const isLast = i === blocks[layer]! - 1;
          const plan = { at: `${stage}.${i}`, bottleneck, inputs, inner: (STEM << layer) * width, outputs, stride: i === 0 && layer > 0 ? 2 : 1 };
          yield { ...residualStep(plan), stage: isLast ? stage : undefined };
          inputs = outputs;
        }
      }
    },
  };
}

/** A convolution whose padding keeps the extent but for the stride. */
const convolution = (name: string, norm: string, plan: Omit<ConvolutionPlan, "names" | "padding">): Convolution =>
  new Convolution({ names: { [LIBRARIES]: [name, norm] }, padding: ((plan.kernel ?? 1) - 1) / 2, ...plan });

function pooledStem(stem: Convolution, images: Tensor): Tensor {
  using scope = images.device.scope();
  return scope.keep(maxPool(stem.apply(images), 3, { stride: 2, padding: 1 }));
}

interface BlockPlan {
  /** Prefix of the block's tensors. */
  readonly at: string;
  readonly bottleneck: boolean;
  readonly inputs: number;
  /** Channels within the block. */
  readonly inner: number;
  readonly outputs: number;
  readonly stride: number;
}

/** relu(branch(input) + shortcut(input)); the shortcut is the input itself where shapes agree. */
function residualStep({ at, bottleneck, inputs, inner, outputs, stride }: BlockPlan): Step {
  const numbered = (i: number, plan: Omit<ConvolutionPlan, "names">): Convolution => convolution(`${at}.conv${i}`, `${at}.bn${i}`, plan);
  const branch = bottleneck
    ? [
        numbered(1, { inputs, outputs: inner, activation: "relu" }),
        numbered(2, { inputs: inner, outputs: inner, kernel: 3, stride, activation: "relu" }),
        numbered(3, { inputs: inner, outputs }),
      ]
    : [
        numbered(1, { inputs, outputs: inner, kernel: 3, stride, activation: "relu" }),
        numbered(2, { inputs: inner, outputs, kernel: 3 }),
      ];
  const isProjected = stride > 1 || inputs !== outputs;
  const shortcut = isProjected ? convolution(`${at}.downsample.0`, `${at}.downsample.1`, { inputs, outputs, stride }) : null;
  const run = (input: Tensor): Tensor => {
    using scope = input.device.scope();
    const end = branch.reduce((current, convolution) => {
      const next = convolution.apply(current);
      scope.release(current.allocation); // unless it is the input
      return next;
    }, input);
    return scope.keep(activation(add(end, shortcut ? shortcut.apply(input) : input), "relu"));
  };
  return { convolutions: [...branch, ...(shortcut ? [shortcut] : [])], run };
}
