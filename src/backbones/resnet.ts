// ResNets as torchvision has them: the stride of a bottleneck is in its 3x3 convolution ("v1.5"). A stage is the output
// of a layer's last ReLU.
import { activation } from "../ops/activation.ts";
import { add } from "../ops/elementwise.ts";
import { maxPool } from "../ops/pool.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Network, Step } from "./network.ts";
import { Convolution, type ConvolutionPlan } from "./parts.ts";

const LIBRARIES = "timm, torchvision"; // whose names are the same

const RESNETS = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false, width: 1 },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true, width: 1 },
  "wide-resnet50-2": { blocks: [3, 4, 6, 3], bottleneck: true, width: 2 },
} as const;

/** Name of a network of the family. */
export type ResNetName = keyof typeof RESNETS;

const STEM = 64; // channels; a layer's blocks are this wide, doubled by each layer
const EXPANSION = 4; // of a bottleneck's last convolution

/**
 * Describes a ResNet.
 * @see He et al., "Deep residual learning for image recognition", 2016
 * @see Zagoruyko and Komodakis, "Wide residual networks", 2016
 */
export function resnet(name: ResNetName): Network {
  const { blocks, bottleneck, width } = RESNETS[name];
  const expansion = bottleneck ? EXPANSION : 1;
  const stages = blocks.map((_, layer) => ({
    name: `layer${layer + 1}`,
    stride: 4 << layer,
    channels: (STEM << layer) * expansion,
  }));
  return {
    name,
    family: "ResNet",
    eps: { [LIBRARIES]: 1e-5 },
    stages,
    paddings: [],
    *steps() {
      const plan = { inputs: 3, outputs: STEM, kernel: 7, stride: 2, activation: "relu" } as const;
      const stem = convolution("", "conv1", "bn1", plan);
      yield { convolutions: [stem], run: (images) => pooledStem(stem, images) };
      let inputs = STEM;
      for (const [layer, { name: stage, channels: outputs }] of stages.entries()) {
        for (let i = 0; i < blocks[layer]!; i++) {
          const inner = (STEM << layer) * width;
          const stride = i === 0 && layer > 0 ? 2 : 1;
          const step = residualStep({ at: `${stage}.${i}.`, bottleneck, inputs, inner, outputs, stride });
          yield i === blocks[layer]! - 1 ? { ...step, stage } : step;
          inputs = outputs;
        }
      }
    },
  };
}

type Plan = Omit<ConvolutionPlan, "names" | "within" | "padding">;

/** A convolution whose padding keeps the extent but for the stride. */
function convolution(at: string, name: string, norm: string, plan: Plan): Convolution {
  const padding = ((plan.kernel ?? 1) - 1) / 2;
  return new Convolution({ within: { [LIBRARIES]: at }, names: { [LIBRARIES]: [name, norm] }, padding, ...plan });
}

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
  const numbered = (i: number, plan: Plan): Convolution => convolution(at, `conv${i}`, `bn${i}`, plan);
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
  const shortcut = isProjected ? convolution(at, "downsample.0", "downsample.1", { inputs, outputs, stride }) : null;
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
