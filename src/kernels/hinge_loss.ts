import module from "../../shaders/hinge_loss.wgsl";
import { countOf, elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireDType, requireOneDevice, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

export const LOSS_REDUCTIONS = ["mean", "sum", "none"] as const;
/** Reduction of the elementwise losses. */
export type LossReduction = (typeof LOSS_REDUCTIONS)[number];

const SLICE = 128; // packs per invocation: enough to be worth one, few enough for many invocations

export interface HingeSettings {
  readonly threshold: number;
  readonly reduction: LossReduction;
}

export interface HingeForward {
  /** f32: the scores' shape; null if losses are reduced. */
  readonly positions: Tensor | null;
  /** `[3]`: loss, share of hits among marked positions, share of hits among the others. */
  readonly summary: Tensor;
  /** `[8]`: totals that the gradient needs. */
  readonly totals: Tensor;
}

/** Hinge losses of scores of any shape; `mask`, f32 of the same shape, is 1 at marked positions and 0 elsewhere. */
export function hingeLossForward(op: string, scores: Tensor, mask: Tensor, settings: HingeSettings): HingeForward {
  check(op, scores, mask);
  const { device } = scores;
  const packs = packsOf(scores);
  const slices = Math.ceil(packs / SLICE);
  const terms = empty(device, [slices, 8]);
  run("slice_terms", { scores, mask, terms }, scores, settings, slices);
  const totals = reduceMiddle(terms, { groups: 1, extent: slices, channels: 8 }, [8], "sum");
  release(terms);
  const summary = empty(device, [3]);
  run("summarise", { totals, summary }, scores, settings, 1);
  if (settings.reduction !== "none") return { positions: null, summary, totals };
  const positions = empty(device, scores.shape);
  run("position_loss", { scores, mask, loss: positions }, scores, settings, packs);
  return { positions, summary, totals };
}

/** d loss / d scores. `gradLoss` is `[1]`, or has the scores' shape if losses are not reduced. */
export function hingeLossBackward(
  op: string,
  scores: Tensor,
  mask: Tensor,
  totals: Tensor,
  gradLoss: Tensor,
  settings: HingeSettings,
): Tensor {
  requireDType(op, "f32", { gradLoss });
  const byPosition = settings.reduction === "none";
  requireShape(op, "gradLoss", byPosition ? scores.shape : [1], { scores, gradLoss });
  const gradScores = empty(scores.device, scores.shape, scores.dtype);
  const packs = packsOf(scores);
  if (byPosition)
    run(
      "backward_positions",
      { scores, mask, grad_positions: gradLoss, grad_scores: gradScores },
      scores,
      settings,
      packs,
    );
  else
    run(
      "backward_scores",
      { scores, mask, totals, grad_loss: gradLoss, grad_scores: gradScores },
      scores,
      settings,
      packs,
    );
  return gradScores;
}

function check(op: string, scores: Tensor, mask: Tensor): void {
  floatDType(op, { scores });
  requireDType(op, "f32", { mask });
  requireShape(op, "mask", scores.shape, { scores, mask });
  requireOneDevice(op, { scores, mask });
}

function packsOf({ shape }: Tensor): number {
  const count = countOf(shape);
  return count / packOf(count);
}

function run(
  entryPoint: string,
  tensors: Record<string, Tensor>,
  scores: Tensor,
  { threshold, reduction }: HingeSettings,
  invocations: number,
): void {
  launch({
    module,
    entryPoint,
    element: elementOf(scores.dtype, countOf(scores.shape)),
    constants: { SUM: reduction === "sum" },
    tensors,
    params: { packs: packsOf(scores), slice: SLICE, threshold },
    size: { invocations },
  });
}
