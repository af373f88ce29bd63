import { activation, type Activation } from "../ops/activation.ts";
import { batchNorm, batchNormInference, foldBatchNorm } from "../ops/batch_norm.ts";
import { cast } from "../ops/cast.ts";
import { conv2d, depthwiseConv2d, type Epilogue } from "../ops/conv2d.ts";
import { add } from "../ops/elementwise.ts";
import { pointwiseConv2d } from "../ops/matmul.ts";
import { recompute } from "../ops/recompute.ts";
import { squeezeExcitation as squeezeOp } from "../ops/squeeze_excitation.ts";
import { UsageError } from "../runtime/errors.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { FloatDType, Tensor } from "../tensor/tensor.ts";
import type { Weights } from "./weights.ts";

/**
 * Mode of batch norm. "training": batch statistics, and the running ones are updated. "again": batch statistics only,
 * as a recomputation must not update twice. "inference": running statistics.
 */
export type Mode = "training" | "again" | "inference";

/** `[N,H,W,C]` -> `[N,H,W,K]`. */
export interface Layer {
  (input: Tensor, mode: Mode): Tensor;
  /** Kind of the layer, if `sequence` can fuse it with its neighbours. */
  readonly part?: ConvolutionPart | NormPart | ActivationPart;
}

/** A convolution without bias. */
export interface ConvolutionPart {
  readonly kind: "convolution";
  readonly weight: Tensor;
  /** True once a norm is folded in, when weights are frozen; the unfolded weights are then unused. */
  isFolded: boolean;
  /** The convolution with given weights, bias and activation. */
  readonly apply: (input: Tensor, weight: Tensor, epilogue?: Epilogue) => Tensor;
}

/** Batch norm. */
export interface NormPart {
  readonly kind: "norm";
  readonly weights: Weights;
  readonly affine: Tensor;
  readonly running: Tensor;
  /** The norm, followed by an activation. */
  readonly apply: (input: Tensor, mode: Mode, then: Activation | null) => Tensor;
}

/** An activation function. */
export interface ActivationPart {
  readonly kind: "activation";
  readonly name: Activation;
}

/** Context of a layer's creation: source of its weights, prefix of their names, source of random numbers. */
export interface LayerContext {
  readonly weights: Weights;
  readonly prefix: string;
  readonly random: RandomStream;
  /**
   * True if blocks are recomputed for their gradients instead of keeping intermediates: less memory, more time. Default
   * false.
   */
  readonly recompute?: boolean;
  /**
   * Dtype in which layers that `inStorage` wraps keep activations and gradients while they are trained; weights and sums
   * are f32. Default "f32".
   */
  readonly storage?: FloatDType;
  /** Standard deviation of initial weights, given the number of inputs that are summed for an output. Default 0.01. */
  readonly initialStd?: (inputs: number) => number;
}

const usualStd = (): number => 0.01;

/** The same context, one name deeper. */
export const within = (context: LayerContext, name: string): LayerContext => ({
  ...context,
  prefix: `${context.prefix}.${name}`,
});

/** A 1x1 convolution (or linear layer); weights N(0, std^2), biases 0. */
export function pointwise(
  { weights, prefix, random, initialStd = usualStd }: LayerContext,
  inputs: number,
  outputs: number,
  bias: boolean,
  std = initialStd(inputs),
): Layer {
  const weight = weights.normal(`${prefix}.weight`, [inputs, outputs], std, random);
  if (!bias) return convolution(weights, weight, pointwiseConv2d);
  const offsets = weights.filled(`${prefix}.bias`, [outputs], () => 0);
  return (input) => pointwiseConv2d(input, weight, { bias: offsets });
}

/** A 3x3 convolution that keeps the extent, without bias. */
export function conv3x3(context: LayerContext, inputs: number, outputs: number): Layer {
  const { weights, prefix, random, initialStd = usualStd } = context;
  const weight = weights.normal(`${prefix}.weight`, [3, 3, inputs, outputs], initialStd(9 * inputs), random);
  return convolution(weights, weight, (input, weight, epilogue) => conv2d(input, weight, { padding: 1, ...epilogue }));
}

/** A depthwise 3x3 convolution that keeps the extent, without bias. */
export function depthwise3x3(context: LayerContext, channels: number): Layer {
  const { weights, prefix, random, initialStd = usualStd } = context;
  const weight = weights.normal(`${prefix}.weight`, [3, 3, channels], initialStd(9), random);
  return convolution(weights, weight, (input, weight, epilogue) =>
    depthwiseConv2d(input, weight, { padding: 1, ...epilogue }),
  );
}

/** A convolution of any geometry, without bias, as a layer that `sequence` can fuse. */
export function convolution(weights: Weights, weight: Tensor, apply: ConvolutionPart["apply"]): Layer {
  const part: ConvolutionPart = { kind: "convolution", weight, apply, isFolded: false };
  const stored = asFrozenIn(weights, weight, () => !part.isFolded);
  return Object.assign((input: Tensor) => apply(input, stored(input)), { part });
}

/** Returns the weight in an input's dtype: as it was frozen, if it `isUsed`; cast anew while it is trained. */
function asFrozenIn(weights: Weights, weight: Tensor, isUsed = () => true): (input: Tensor) => Tensor {
  const half = weights.derived<{ readonly weight?: Tensor }>([weight], (dtype) =>
    dtype === "f16" && isUsed() ? { weight: cast(weight, dtype) } : {},
  );
  return (input) => half()?.weight ?? inDTypeOf(input, weight);
}

const inDTypeOf = ({ dtype }: Tensor, weight: Tensor): Tensor =>
  dtype === weight.dtype ? weight : cast(weight, dtype);

/**
 * Wraps a layer with f32 input and output; in between it computes in the dtype in which the weights are frozen, in
 * training in that of the context's storage.
 */
export const inStorage =
  ({ weights, storage = "f32" }: LayerContext, layer: Layer): Layer =>
  (input, mode) =>
    (mode === "inference" ? weights.frozen : storage) === "f16"
      ? cast(layer(cast(input, "f16"), mode), "f32")
      : layer(input, mode);

/** Batch norm with weight 1, bias 0, eps 1e-5, momentum 0.1. */
export function norm({ weights, prefix }: LayerContext, channels: number): Layer {
  const affine = weights.filled(`${prefix}.affine`, [2, channels], (i) => (i < channels ? 1 : 0));
  const running = weights.state(`${prefix}.running`, [2, channels], (i) => (i < channels ? 0 : 1));
  const apply: NormPart["apply"] = (input, mode, then) => {
    if (mode === "inference") {
      const normed = batchNormInference(input, affine, running);
      return then ? activation(normed, then) : normed;
    }
    if (weights.frozen) throw new UsageError(`${prefix}: the weights are frozen and can no longer be trained`);
    return batchNorm(input, affine, running, { activation: then, ...(mode === "again" && { momentum: 0 }) });
  };
  const part: NormPart = { kind: "norm", weights, affine, running, apply };
  return Object.assign((input: Tensor, mode: Mode) => apply(input, mode, null), { part });
}

/** An activation function as a layer. */
export const activate = (name: Activation): Layer =>
  Object.assign((input: Tensor) => activation(input, name), { part: { kind: "activation", name } as const });

/**
 * Squeeze and excitation: scales each channel by a gate computed from the mean over H, W. Layers without bias,
 * reduction to 1/4.
 */
export function squeezeExcitation(context: LayerContext, channels: number): Layer {
  const { weights, prefix, random, initialStd = usualStd } = context;
  const squeezed = Math.max(1, Math.floor(channels / 4));
  const layer = (name: string, inputs: number, outputs: number) =>
    asFrozenIn(weights, weights.normal(`${prefix}.${name}.weight`, [inputs, outputs], initialStd(inputs), random));
  const [reduce, expand] = [layer("reduce", channels, squeezed), layer("expand", squeezed, channels)];
  return (input) => squeezeOp(input, { weight: reduce(input) }, { weight: expand(input) }, { gate: "hsigmoid" });
}

/**
 * Layers in sequence. A norm and the activation after it run as one kernel; once weights are frozen, so does the
 * convolution before them.
 */
export function sequence(...layers: readonly Layer[]): Layer {
  const steps: Layer[] = [];
  for (let at = 0; at < layers.length;) {
    const [first, second] = layers.slice(at, at + 2).map(({ part }) => part);
    const convolution = first?.kind === "convolution" && second?.kind === "norm" ? first : null;
    const norm = convolution ? second : first;
    if (norm?.kind !== "norm") {
      steps.push(layers[at++]!);
      continue;
    }
    at += convolution ? 2 : 1;
    const behind = layers[at]?.part;
    const then = behind?.kind === "activation" ? behind.name : null;
    if (then) at++;
    steps.push(convolution ? folded(convolution, norm, then) : (input, mode) => norm.apply(input, mode, then));
  }
  return (input, mode) => steps.reduce((x, step) => step(x, mode), input);
}

function folded(convolution: ConvolutionPart, norm: NormPart, then: Activation | null): Layer {
  const { weight, apply } = convolution;
  convolution.isFolded = true;
  const derived = norm.weights.derived([weight], (dtype) => {
    using scope = weight.device.scope();
    const whole = foldBatchNorm(weight, null, norm.affine, norm.running);
    return { weight: scope.keep(cast(whole.weight, dtype)), bias: scope.keep(cast(whole.bias, dtype)) };
  });
  return (input, mode) => {
    const fold = mode === "inference" ? derived() : null;
    return fold
      ? apply(input, fold.weight, { bias: fold.bias, activation: then })
      : norm.apply(apply(input, inDTypeOf(input, weight)), mode, then);
  };
}

/** input + layer(input). */
export function residual(layer: Layer): Layer {
  return (input, mode) => add(layer(input, mode), input);
}

/** A layer made by `make`; its activations are not kept if the context says to recompute. */
export function block(context: LayerContext, make: (context: LayerContext) => Layer): Layer {
  const layer = make(context);
  if (!context.recompute) return layer;
  const parameters = [...context.weights.parameters]
    .filter(([name]) => name.startsWith(`${context.prefix}.`))
    .map(([, tensor]) => tensor);
  return (input, mode) =>
    recompute((again) => layer(input, again && mode === "training" ? "again" : mode), [input, ...parameters]);
}
