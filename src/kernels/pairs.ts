import module from "../../shaders/pairs.wgsl";
import { requireWhole } from "../runtime/options.ts";
import { countOf, empty, release, viewOf, type Tensor } from "../tensor/tensor.ts";
import { bucketOf } from "./bucket.ts";
import { castForward } from "./cast.ts";
import { requireDType } from "./launch.ts";
import { launchDraw, requireDraw, type Draw } from "./random.ts";

/** Pairs of positions, labelled as similar or not. */
export interface FeaturePairs {
  /** `[2K, 2]`, u32: K pairs of positions of the same kind, then K of different kinds. */
  readonly pairs: Tensor;
  /** `[2K]`, f32: 1 for pairs of the same kind, 0 for the others. */
  readonly similar: Tensor;
}

/** Draws `count` pairs of each label from the positions of an f32 mask that is 1 where marked and 0 elsewhere. */
export function drawPairs(mask: Tensor, count: number, draw: Draw): FeaturePairs {
  const { device } = mask;
  requireDType("drawPairs", "f32", { mask });
  requireWhole("drawPairs", "count", 1, [count]);
  requireDraw("drawPairs", device, draw);
  const kinds = castForward(mask, "u32");
  const { list, starts, blocks } = bucketOf("drawPairs", viewOf(kinds, [countOf(mask.shape)]), 2);
  const pairs = empty(device, [2 * count, 2], "u32");
  const similar = empty(device, [2 * count]);
  launchDraw(draw, {
    module,
    entryPoint: "draw_pairs",
    element: "u32",
    tensors: { list, starts, pairs, similar },
    params: { count, blocks },
    size: { invocations: 2 * count },
  });
  [kinds, list, starts].forEach(release);
  return { pairs, similar };
}
