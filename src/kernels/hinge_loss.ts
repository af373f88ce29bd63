import module from "../../shaders/hinge_loss.wgsl";
import { countOf, elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireDType, requireOneDevice, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

export const LOSS_REDUCTIONS = ["mean", "sum", "none"] as const;
/** What becomes of the losses of single elements. */
export type LossReduction = (typeof LOSS_REDUCTIONS)[number];

const SLICE = 128; // packs: enough to be worth an invocation, few enough to give many of them

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

/** d loss / d scores for `gradLoss`, `[1]` or, where losses are not reduced, the scores' shape. */
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
