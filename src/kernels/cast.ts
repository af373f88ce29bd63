import module from "../../shaders/cast.wgsl";
import { OptionError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, packOf, release, type DType, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

/** The elements as another dtype; one of the two dtypes is f32. */
export function castForward(input: Tensor, dtype: DType): Tensor {
  if (input.dtype !== "f32" && dtype !== "f32")
    throw new OptionError(`cast: expected f32 on one side, got ${input.dtype} to ${dtype}; cast to f32 first`);
  const output = empty(input.device, input.shape, dtype);
  const count = countOf(input.shape);
  const packs = count / packOf(count);
  const narrows = dtype !== "f32";
  launch({
    module,
    entryPoint: narrows ? "to_narrow" : "to_wide",
    element: elementOf(narrows ? dtype : input.dtype, count),
    tensors: narrows ? { wide: input, narrow_output: output } : { narrow: input, wide_output: output },
    params: { packs },
    size: { invocations: packs },
    parts: { param: "packs", tensors: ["wide", "narrow", "wide_output", "narrow_output"] },
  });
  return output;
}

/** Converts an f32 workspace to the result's dtype: returns it unchanged, or a copy and releases the workspace. */
export function settleAs(workspace: Tensor, dtype: DType): Tensor {
  if (workspace.dtype === dtype) return workspace;
  const output = castForward(workspace, dtype);
  release(workspace);
  return output;
}
