import module from "../../shaders/resize.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch } from "./launch.ts";

export interface ResizeOptions {
  /** Whether corner pixels keep their place (true) or the image's edges do (false). Default false, as in PyTorch. */
  readonly alignCorners?: boolean;
}

/** `[N,H,W,C]` -> `[N,P,Q,C]`. */
export function resizeForward(input: Tensor, [out_height, out_width]: readonly [number, number], { alignCorners = false }: ResizeOptions): Tensor {
  floatDType("resize", { input });
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || height * width === 0) shapeError("resize", "expected input [N,H,W,C] with H, W > 0", { input });
  const output = empty(input.device, [batch, out_height, out_width, channels], input.dtype);
  const packs = channels / packOf(channels);
  launch({
    module,
    entryPoint: "forward",
    element: elementOf(input.dtype, channels),
    constants: { ALIGN_CORNERS: alignCorners },
    tensors: { input, output },
    params: { batch, height, width, packs, out_height, out_width },
    size: { invocations: batch * out_height * out_width * packs },
  });
  return output;
}
