import { activate, pointwise, sequence, within, type Layer, type LayerContext, type Mode } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { activation } from "../../ops/activation.ts";
import { standardize } from "../../ops/batch_norm.ts";
import { add, divide, maximum, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { mean } from "../../ops/reduce.ts";
import { reshape, slice } from "../../ops/shape.ts";
import { UsageError } from "../../runtime/errors.ts";
import type { RandomStream } from "../../tensor/random.ts";
import { bytesOf, type Tensor } from "../../tensor/tensor.ts";
import { coordinateHeads, gridMemory, query, type Codes, type GridMemory } from "../parts/grid_memory.ts";
import type { GradConfig } from "./config.ts";

type Fusion = (normal: Tensor, abnormal: Tensor) => Tensor;

/**
 * GRAD: reconstructs features from a normal and an abnormal grid, at coordinates that it derives from the features.
 * @see "Bi-Grid Reconstruction for Image Anomaly Detection", 2025
 */
export class Grad {
  readonly config: GradConfig;
  readonly weights: Weights;
  readonly #normal: GridMemory | null;
  readonly #abnormal: GridMemory | null;
  readonly #hinge: Layer | null;
  readonly #residualHinge: Layer | null;
  readonly #residualUnit: Tensor | null;
  readonly #fuse: Fusion | null;

  /**
   * @param training how the decoders' blocks and activations are kept while they are trained, and how weights begin
   */
  constructor(
    weights: Weights,
    config: GradConfig,
    random: RandomStream,
    training: Pick<LayerContext, "recompute" | "storage" | "initialStd"> = {},
  ) {
    const { branches, heads, hingeHead, residualWeight, channels, headWidth } = config;
    this.config = config;
    this.weights = weights;
    const at = (prefix: string): LayerContext => ({ weights, prefix, random, ...training });
    const shared = heads === "shared" ? coordinateHeads(at("head"), channels, headWidth) : null;
    const branchOf = (name: string): GridMemory =>
      gridMemory(at(name), shared ?? coordinateHeads(at(`${name}.head`), channels, headWidth), config);
    this.#normal = branches === "abnormal" ? null : branchOf("normal");
    this.#abnormal = branches === "normal" ? null : branchOf("abnormal");
    this.#hinge = this.#abnormal && hingeHead === "own" ? pointwise(at("abnormal.hinge"), channels, 1, true) : null;
    this.#residualUnit = residualWeight > 0 ? weights.state("residual.unit", [channels], () => 1) : null;
    this.#residualHinge = this.#residualUnit && residualHinge(at("residual"), this.#residualUnit);
    this.#fuse = branches === "both" ? fusionOf(weights, config) : null;
  }

  /**
   * Reconstructs features `[N,H,W,C]` by the abnormal branch.
   * @param noise `[N,H,W,2]`, added to the local coordinates; null for none
   */
  abnormal(features: Tensor, noise: Tensor | null, mode: Mode): Tensor {
    const branch = required(this.#abnormal, "abnormal branch");
    return this.#decodeAbnormal(branch, branch.heads(features, noise), mode);
  }

  /** Scores of the abnormal branch's reconstruction that the hinge trains: `[N,H,W]`, high where anomalous. */
  hingeScores(abnormal: Tensor): Tensor {
    return reshape(
      this.#hinge ? this.#hinge(abnormal, MODE_OF_POINTWISE) : slice(abnormal, 0, 1),
      abnormal.shape.slice(0, -1),
    );
  }

  /**
   * Scores of the residual's hinge for features and their reconstruction, `[N,H,W]`, high where anomalous.
   * @throws UsageError if this model has none, because its `residualWeight` is 0
   */
  residualScores(features: Tensor, reconstruction: Tensor): Tensor {
    const hinge = required(this.#residualHinge, "hinge on its residual");
    const residual = activation(subtract(reconstruction, features), "abs");
    return reshape(hinge(residual, MODE_OF_POINTWISE), features.shape.slice(0, -1));
  }

  /**
   * Sets the residual's unit, where there is a hinge on it; it is stored with the weights.
   * @param std `[C]`, of each channel of the features. One that hardly varies beside the others counts as a
   * little varying
   */
  setResidualUnit(std: Tensor): void {
    const unit = this.#residualUnit;
    if (!unit) return;
    const { device } = std;
    using _scope = device.scope();
    const least = add(multiply(mean(std, [0]), scalar(device, LEAST_STD)), scalar(device, 1e-12));
    device.copy(maximum(std, least).allocation.buffer, 0, unit.allocation.buffer, 0, bytesOf(unit));
  }

  /**
   * The reconstruction of all branches, `[N,H,W,C]`.
   * @param abnormalMode of the abnormal branch's norms, where it is not that of the others
   */
  reconstruct(features: Tensor, noise: Tensor | null, mode: Mode, abnormalMode: Mode = mode): Tensor {
    if (!this.#normal) return this.abnormal(features, noise, mode);
    const codes = this.#normal.heads(features, noise);
    const normal = this.#normal.decode(query(this.#normal, codes), mode);
    if (!this.#abnormal || !this.#fuse) return normal;
    const abnormalCodes = this.#abnormal.heads === this.#normal.heads ? codes : this.#abnormal.heads(features, noise);
    return this.#fuse(normal, this.#decodeAbnormal(this.#abnormal, abnormalCodes, abnormalMode));
  }

  /**
   * The reconstructions by which features are scored: those of both branches where each restores features by itself,
   * else the one of all branches.
   */
  reconstructions(features: Tensor): readonly Tensor[] {
    const { branches, fusion, abnormalTask } = this.config;
    const all = this.reconstruct(features, null, "inference");
    const isApart = branches === "both" && fusion === "none" && abnormalTask === "restore";
    return isApart ? [all, this.abnormal(features, null, "inference")] : [all];
  }

  #decodeAbnormal(branch: GridMemory, codes: Codes, mode: Mode): Tensor {
    const queries = query(branch, codes);
    return branch.decode(this.config.standardise ? standardize(queries) : queries, mode);
  }
}

const RESIDUAL_WIDTH = 64;
const LEAST_STD = 0.01; // of the mean one

const MODE_OF_POINTWISE = "inference"; // heads hold no batch norm: both modes are the same to them

function required<T>(part: T | null, name: string): T {
  if (part === null) throw new UsageError(`this model has no ${name}`);
  return part;
}

/**
 * Residuals in units of the channels' deviations, a hidden layer, a score. Layers begin with the deviation of PyTorch's
 * linear ones.
 */
function residualHinge(context: LayerContext, unit: Tensor): Layer {
  const [channels] = unit.shape as [number];
  const layer = (name: string, inputs: number, outputs: number): Layer =>
    pointwise(within(context, name), inputs, outputs, true, 1 / Math.sqrt(3 * inputs));
  const score = sequence(
    layer("layer1", channels, RESIDUAL_WIDTH),
    activate("hswish"),
    layer("layer2", RESIDUAL_WIDTH, 1),
  );
  return (residual, mode) => score(divide(residual, unit), mode);
}

/** Fuses two reconstructions into one; null if the abnormal one is left out. */
function fusionOf(weights: Weights, { fusion, lambda, abnormalWeight }: GradConfig): Fusion | null {
  switch (fusion) {
    case "sum":
      return add;
    case "lambda": {
      const shareOf = (branch: string, share: number): Tensor => weights.state(`fusion.${branch}`, [1], () => share);
      const [ofNormal, ofAbnormal] = [shareOf("normal", lambda), shareOf("abnormal", 1 - lambda)];
      return (normal, abnormal) => add(multiply(normal, ofNormal), multiply(abnormal, ofAbnormal));
    }
    case "none":
      return null;
    case "learned": {
      const weight = weights.filled("fusion.weight", [1], () => abnormalWeight);
      return (normal, abnormal) => add(normal, multiply(abnormal, weight));
    }
  }
}
