import { activation, type ActivationName } from "../ops/activation.ts";
import { batchNorm, batchNormInference } from "../ops/batch_norm.ts";
import { conv2d, depthwiseConv2d } from "../ops/conv2d.ts";
import { add } from "../ops/elementwise.ts";
import { pointwiseConv2d } from "../ops/matmul.ts";
import { recompute } from "../ops/recompute.ts";
import { squeezeExcitation as squeezeOp } from "../ops/squeeze_excitation.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Weights } from "./weights.ts";

/** Whether batch norm uses the batch's statistics, and moves the running ones unless that batch is computed again; or the running ones. */
export type Mode = "training" | "again" | "inference";

/** `[N,H,W,C]` -> `[N,H,W,K]`. */
export type Layer = (input: Tensor, mode: Mode) => Tensor;

/** How a layer's weights are made: where they come from, their names' prefix, what draws them. */
export interface LayerContext {
  readonly weights: Weights;
  readonly prefix: string;
  readonly random: RandomStream;
  /** Whether blocks are computed again for their gradients instead of keeping what they make: less memory, more time. Default false. */
  readonly recompute?: boolean;
}

const INITIAL_DEVIATION = 0.01;

/** The same context one name deeper. */
export const within = (context: LayerContext, name: string): LayerContext => ({ ...context, prefix: `${context.prefix}.${name}` });

/** A 1x1 convolution (or linear layer); weights N(0, deviation^2), biases 0. */
export function pointwise(
  { weights, prefix, random }: LayerContext,
  inputs: number,
  outputs: number,
  bias: boolean,
  deviation = INITIAL_DEVIATION,
): Layer {
  const weight = weights.normal(`${prefix}.weight`, [inputs, outputs], deviation, random);
  const offsets = bias ? weights.filled(`${prefix}.bias`, [outputs], () => 0) : null;
  return (input) => pointwiseConv2d(input, weight, { bias: offsets });
}

/** A 3x3 convolution that keeps the extent, without bias; weights N(0, 0.01^2). */
export function conv3x3({ weights, prefix, random }: LayerContext, inputs: number, outputs: number): Layer {
  const filters = weights.normal(`${prefix}.weight`, [3, 3, inputs, outputs], INITIAL_DEVIATION, random);
  return (input) => conv2d(input, filters, { padding: 1 });
}

/** A depthwise 3x3 convolution that keeps the extent, without bias; weights N(0, 0.01^2). */
export function depthwise3x3({ weights, prefix, random }: LayerContext, channels: number): Layer {
  const filters = weights.normal(`${prefix}.weight`, [3, 3, channels], INITIAL_DEVIATION, random);
  return (input) => depthwiseConv2d(input, filters, { padding: 1 });
}

/** Batch norm with weight 1, bias 0, eps 1e-5, momentum 0.1. */
export function norm({ weights, prefix }: LayerContext, channels: number): Layer {
  const affine = weights.filled(`${prefix}.affine`, [2, channels], (i) => (i < channels ? 1 : 0));
  const running = weights.state(`${prefix}.running`, [2, channels], (i) => (i < channels ? 0 : 1));
  return (input, mode) =>
    mode === "inference"
      ? batchNormInference(input, affine, running)
      : batchNorm(input, affine, running, mode === "again" ? { momentum: 0 } : {});
}

/** An activation function as a layer. */
export const activate = (name: ActivationName): Layer => (input) => activation(input, name);

/** Squeeze and excitation: each channel scaled by a gate that sees the mean over H, W. Layers without bias, reduction to 1/4. */
export function squeezeExcitation({ weights, prefix, random }: LayerContext, channels: number): Layer {
  const squeezed = Math.max(1, Math.floor(channels / 4));
  const layer = (name: string, inputs: number, outputs: number) => ({
    weight: weights.normal(`${prefix}.${name}.weight`, [inputs, outputs], INITIAL_DEVIATION, random),
  });
  const [reduce, expand] = [layer("reduce", channels, squeezed), layer("expand", squeezed, channels)];
  return (input) => squeezeOp(input, reduce, expand, { gate: "hsigmoid" });
}

/** One layer after another. */
export function sequence(...layers: readonly Layer[]): Layer {
  return (input, mode) => layers.reduce((x, layer) => layer(x, mode), input);
}

/** input + layer(input). */
export function residual(layer: Layer): Layer {
  return (input, mode) => add(layer(input, mode), input);
}

/** A layer made by `make`, of whose activations nothing is kept where the context says so. */
export function block(context: LayerContext, make: (context: LayerContext) => Layer): Layer {
  const layer = make(context);
  if (!context.recompute) return layer;
  const parameters = [...context.weights.parameters].filter(([name]) => name.startsWith(`${context.prefix}.`)).map(([, tensor]) => tensor);
  return (input, mode) => recompute((again) => layer(input, again && mode === "training" ? "again" : mode), [input, ...parameters]);
}
