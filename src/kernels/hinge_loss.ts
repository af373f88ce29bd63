import module from "../../shaders/hinge_loss.wgsl";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

export interface HingeSums {
  /** `[3]`: loss, share of the marked beyond the threshold, share of the others beyond its negative. */
  readonly summary: Tensor;
  /** `[8]`: what the gradient needs. */
  readonly totals: Tensor;
}

/** Truncated L1 of scores against a mask of 0 and 1 of the same shape. */
export function hingeLossForward(scores: Tensor, mask: Tensor, threshold: number): HingeSums {
  requireDType("hingeLoss", "f32", { scores, mask });
  requireShape("hingeLoss", "mask", scores.shape, { scores, mask });
  const { device } = scores;
  const positions = countOf(scores.shape);
  const terms = empty(device, [positions, 8]);
  run("position_terms", { scores, mask, terms }, positions, threshold, positions);
  const totals = reduceMiddle(terms, { groups: 1, extent: positions, channels: 8 }, [8], "sum");
  device.release(terms.allocation);
  const summary = empty(device, [3]);
  run("summarise", { totals, summary }, positions, threshold, 1);
  return { summary, totals };
}

/** d loss / d scores for `gradLoss` `[1]`. */
export function hingeLossBackward(scores: Tensor, mask: Tensor, totals: Tensor, gradLoss: Tensor, threshold: number): Tensor {
  const gradScores = empty(scores.device, scores.shape);
  const positions = countOf(scores.shape);
  run("backward_scores", { scores, mask, totals, grad_loss: gradLoss, grad_scores: gradScores }, positions, threshold, positions);
  return gradScores;
}

function run(entryPoint: string, tensors: Record<string, Tensor>, positions: number, threshold: number, invocations: number): void {
  launch({ module, entryPoint, element: "f32", tensors, params: { positions, threshold }, size: { invocations } });
}
