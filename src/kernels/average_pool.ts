import module from "../../shaders/average_pool.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, type Tensor } from "../tensor/tensor.ts";
import { geometryOf } from "./convolution.ts";
import { floatDType, launch, pairOf, type Pair } from "./launch.ts";

export interface AveragePoolOptions {
  /** Default: the window. */
  readonly stride?: Pair;
  /** Zeros on either side. Default 0. */
  readonly padding?: Pair;
  /** Whether padding counts in the divisor. Default true, as in PyTorch. */
  readonly countIncludePad?: boolean;
}

/** `[N,H,W,C]` -> `[N,P,Q,C]`. */
export function averagePoolForward(input: Tensor, window: Pair, { stride = window, padding = 0, countIncludePad = true }: AveragePoolOptions): Tensor {
  floatDType("averagePool", { input });
  if (input.shape.length !== 4) shapeError("averagePool", "expected input [N,H,W,C]", { input });
  const [batch, height, width, channels] = input.shape as [number, number, number, number];
  const [window_h, window_w] = pairOf(window);
  const [pad_h, pad_w] = pairOf(padding);
  const { out_height, out_width, stride_h, stride_w } = geometryOf("averagePool", [height, width], [window_h, window_w], { stride, padding });
  const output = empty(input.device, [batch, out_height, out_width, channels], input.dtype);
  const packs = channels / packOf(channels);
  launch({
    module,
    entryPoint: "forward",
    element: elementOf(input.dtype, channels),
    constants: { COUNT_INCLUDE_PAD: countIncludePad },
    tensors: { input, output },
    params: { batch, height, width, packs, out_height, out_width, window_h, window_w, stride_h, stride_w, pad_h, pad_w },
    size: { invocations: batch * out_height * out_width * packs },
  });
  return output;
}
