import { foldBatchNorm } from "../../ops/batch_norm.ts";
import { cast } from "../../ops/cast.ts";
import { conv2d, depthwiseConv2d } from "../../ops/conv2d.ts";
import { add, multiply } from "../../ops/elementwise.ts";
import { matmul, pointwiseConv2d } from "../../ops/matmul.ts";
import { reshape } from "../../ops/shape.ts";
import { squeezeGate, type SqueezeLayer } from "../../ops/squeeze_excitation.ts";
import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import { fromArray, release, type FloatDType, type Shape, type Tensor } from "../../tensor/tensor.ts";
import type { NetworkPadding } from "../backbone.ts";
import { planOf, type BlockPlan, type EfficientNetName, type NetworkPlan } from "./architecture.ts";
import { NetworkCheckpoint, type Checkpoint, type ConvolutionKeys } from "./checkpoint.ts";

/** Which part of a network is loaded, and how. */
export interface EfficientNetOptions {
  /** Which outputs: 1 to 5, of strides 2 to 32. The network ends after the last of them. */
  readonly layers: readonly number[];
  /** Default "same". */
  readonly padding?: NetworkPadding;
  /** What weights and activations are stored in; arithmetic is f32. Default "f32". */
  readonly dtype?: FloatDType;
}

const PADDINGS: readonly NetworkPadding[] = ["same", "same-static", "symmetric"];

/** A convolution with the norm behind it folded in. */
interface Folded {
  readonly filters: Tensor;
  readonly bias: Tensor;
}

interface Block {
  readonly plan: BlockPlan;
  readonly expand: Folded | null;
  readonly depthwise: Folded;
  readonly reduce: SqueezeLayer;
  readonly excite: SqueezeLayer;
  readonly project: Folded;
}

/**
 * EfficientNet B0 to B7 for inference, up to the linear outputs of its stages: batch norms folded into the convolutions,
 * bias and activation done within them.
 * @see Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019
 */
export class EfficientNet {
  readonly plan: NetworkPlan;
  readonly #stem: Folded;
  readonly #blocks: readonly Block[];
  readonly #options: Required<EfficientNetOptions>;

  private constructor(plan: NetworkPlan, stem: Folded, blocks: readonly Block[], options: Required<EfficientNetOptions>) {
    this.plan = plan;
    this.#stem = stem;
    this.#blocks = blocks;
    this.#options = options;
  }

  /**
   * Loads a network's weights, tensor by tensor.
   * @throws InputError if the checkpoint does not hold that network; OptionError for an option out of range
   */
  static async load(device: Device, name: EfficientNetName, checkpoint: Checkpoint, options: EfficientNetOptions): Promise<EfficientNet> {
    const { layers, padding = "same", dtype = "f32" } = options;
    if (layers.length === 0 || !layers.every((layer) => Number.isInteger(layer) && layer >= 1 && layer <= 5)) {
      throw new OptionError(`${name}: expected layers from 1 to 5, got ${layers.join(",") || "none"}`);
    }
    if (!PADDINGS.includes(padding)) throw new OptionError(`${name}: expected padding to be ${PADDINGS.join(", ")}, got ${String(padding)}`);
    const plan = planOf(name);
    const stored = new NetworkCheckpoint(checkpoint, plan, plan.layerEnds[Math.max(...layers) - 1]!);
    const tensor = (shape: Shape, data: Float32Array): Tensor => fromArray(device, shape, data, dtype);
    const folded = async ({ filters, norm }: ConvolutionKeys, shape: Shape): Promise<Folded> => {
      const [values, statistics] = [await stored.filters(filters), await stored.norm(norm)];
      const channels = statistics.affine.length / 2;
      using scope = device.scope();
      const [affine, running] = [statistics.affine, statistics.running].map((data) => fromArray(device, [2, channels], data)) as [Tensor, Tensor];
      const whole = foldBatchNorm(fromArray(device, shape, values), null, affine, running, { eps: stored.eps });
      return { filters: scope.keep(cast(whole.filters, dtype)), bias: scope.keep(cast(whole.bias, dtype)) };
    };
    const squeezeLayer = async (prefix: string, shape: readonly [number, number]): Promise<SqueezeLayer> => ({
      weight: tensor(shape, await stored.filters(`${prefix}.weight`)),
      bias: tensor([shape[1]], await stored.values(`${prefix}.bias`)),
    });
    const stem = await folded(stored.stem, [3, 3, 3, plan.stem]);
    const blocks: Block[] = [];
    for (const [i, keys] of stored.blocks.entries()) {
      const block = plan.blocks[i]!;
      const { kernel, inputs, expanded, squeezed, outputs } = block;
      blocks.push({
        plan: block,
        expand: keys.expand && (await folded(keys.expand, [inputs, expanded])),
        depthwise: await folded(keys.depthwise, [kernel, kernel, expanded]),
        reduce: await squeezeLayer(keys.reduce, [expanded, squeezed]),
        excite: await squeezeLayer(keys.excite, [squeezed, expanded]),
        project: await folded(keys.project, [expanded, outputs]),
      });
    }
    return new EfficientNet(plan, stem, blocks, { layers, padding, dtype });
  }

  /**
   * The outputs of the layers asked for, in their order: linear, behind each stage's last projection and skip.
   *
   * @param images `[N, H, W, 3]`, RGB less ImageNet's mean over its deviation, f32
   * @returns `[N, ceil(H / 2^layer), ceil(W / 2^layer), C]` of each layer, in the network's dtype
   */
  features(images: Tensor): Tensor[] {
    const { layers, dtype } = this.#options;
    const ends = layers.map((layer) => this.plan.layerEnds[layer - 1]!);
    using scope = images.device.scope();
    const stem = { bias: this.#stem.bias, activation: "silu", stride: 2 } as const;
    let current = conv2d(cast(images, dtype), this.#stem.filters, { ...stem, padding: this.#padding(3, 2, this.plan.native) });
    const outputs = new Map<number, Tensor>();
    for (const block of this.#blocks) {
      const next = this.#run(block, current);
      if (!ends.includes(block.plan.index - 1)) scope.release(current.allocation);
      current = next;
      if (ends.includes(block.plan.index)) outputs.set(block.plan.index, scope.keep(current));
    }
    return ends.map((end) => outputs.get(end)!);
  }

  /** Gives the weights' storage back. */
  release(): void {
    const folded = [this.#stem, ...this.#blocks.flatMap(({ expand, depthwise, project }) => [depthwise, project, ...(expand ? [expand] : [])])];
    for (const { filters, bias } of folded) [filters, bias].forEach(release);
    for (const { weight, bias } of this.#blocks.flatMap(({ reduce, excite }) => [reduce, excite])) [weight, bias!].forEach(release);
  }

  #run({ plan, expand, depthwise, reduce, excite, project }: Block, input: Tensor): Tensor {
    using scope = input.device.scope();
    const wide = expand ? pointwiseConv2d(input, expand.filters, { bias: expand.bias, activation: "silu" }) : input;
    const filtered = depthwiseConv2d(wide, depthwise.filters, {
      bias: depthwise.bias,
      activation: "silu",
      stride: plan.stride,
      padding: this.#padding(plan.kernel, plan.stride, plan.nativeSide),
    });
    scope.release(wide.allocation);
    const gate = squeezeGate(filtered, reduce, excite, { activation: "silu", gate: "sigmoid" });
    const output = gatedProjection(filtered, gate, project);
    return scope.keep(plan.stride === 1 && plan.inputs === plan.outputs ? add(output, input) : output);
  }

  #padding(kernel: number, stride: number, nativeSide: number): "same" | number | readonly [number, number, number, number] {
    switch (this.#options.padding) {
      case "same":
        return "same";
      case "symmetric":
        return (kernel - 1) / 2;
      case "same-static": {
        const total = Math.max(0, (Math.ceil(nativeSide / stride) - 1) * stride + kernel - nativeSide);
        const before = Math.floor(total / 2);
        return [before, total - before, before, total - before];
      }
    }
  }
}

/**
 * A 1x1 convolution of an image whose channels are scaled. The gate scales each image's copy of the filters: their K columns
 * are fewer than an image's H W positions in all but the smallest images, and no scaled image has to be stored.
 */
function gatedProjection(image: Tensor, gate: Tensor, { filters, bias }: Folded): Tensor {
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const outputs = filters.shape[1]!;
  const scaled = multiply(reshape(filters, [1, channels, outputs]), reshape(gate, [batch, channels, 1]));
  const output = matmul(reshape(image, [batch, height * width, channels]), scaled, { bias });
  return reshape(output, [batch, height, width, outputs]);
}
