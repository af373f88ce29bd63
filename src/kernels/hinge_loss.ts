import module from "../../shaders/hinge_loss.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { countOf, empty, release, type Tensor } from "../tensor/tensor.ts";
import { choiceOf, floatDType, launch, requireDType, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

export const LOSS_REDUCTIONS = ["mean", "sum", "none"] as const;
export type LossReduction = (typeof LOSS_REDUCTIONS)[number];

export interface HingeSettings {
  readonly threshold: number;
  readonly reduction: LossReduction;
}

export interface HingeForward {
  /** The scores' shape, unless losses are reduced; f32. */
  readonly positions: Tensor | null;
  /** `[3]`: loss, share of hits among the marked, among the others. */
  readonly summary: Tensor;
  /** `[8]`: what the gradient needs. */
  readonly totals: Tensor;
}

/** Losses of scores of any shape, where `mask`, f32 of the same shape, is 1 at marked positions and 0 elsewhere. */
export function hingeLossForward(op: string, scores: Tensor, mask: Tensor, settings: HingeSettings): HingeForward {
  check(op, scores, mask, settings);
  const { device } = scores;
  const count = countOf(scores.shape);
  const terms = empty(device, [count, 8]);
  run(op, "position_terms", { scores, mask, terms }, scores, settings, count);
  const totals = reduceMiddle(terms, { groups: 1, extent: count, channels: 8 }, [8], "sum");
  release(terms);
  const summary = empty(device, [3]);
  run(op, "summarise", { totals, summary }, scores, settings, 1);
  if (settings.reduction !== "none") return { positions: null, summary, totals };
  const positions = empty(device, scores.shape);
  run(op, "position_loss", { scores, mask, loss: positions }, scores, settings, count);
  return { positions, summary, totals };
}

/** d loss / d scores for `gradLoss`, `[1]` or, where losses are not reduced, the scores' shape. */
export function hingeLossBackward(op: string, scores: Tensor, mask: Tensor, totals: Tensor, gradLoss: Tensor, settings: HingeSettings): Tensor {
  requireDType(op, "f32", { gradLoss });
  requireShape(op, "gradLoss", settings.reduction === "none" ? scores.shape : [1], { scores, gradLoss });
  const gradScores = empty(scores.device, scores.shape, scores.dtype);
  const count = countOf(scores.shape);
  run(op, "backward_scores", { scores, mask, totals, grad_loss: gradLoss, grad_scores: gradScores }, scores, settings, count);
  return gradScores;
}

function check(op: string, scores: Tensor, mask: Tensor, { threshold }: HingeSettings): void {
  floatDType(op, { scores });
  requireDType(op, "f32", { mask });
  requireShape(op, "mask", scores.shape, { scores, mask });
  if (mask.device !== scores.device) shapeError(op, "expected tensors of one device, mask is on another than scores", { scores, mask });
  if (!Number.isFinite(threshold)) throw new OptionError(`${op}: expected a finite threshold, got ${threshold}`);
}

function run(op: string, entryPoint: string, tensors: Record<string, Tensor>, { shape, dtype }: Tensor, { threshold, reduction }: HingeSettings, invocations: number): void {
  const constants = { REDUCTION: choiceOf(op, "reduction", LOSS_REDUCTIONS, reduction) };
  const element = dtype === "f16" ? "f16" : "f32";
  launch({ module, entryPoint, element, constants, tensors, params: { positions: countOf(shape), threshold }, size: { invocations } });
}
