import module from "../../shaders/top_k_mean.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireShape } from "./launch.ts";

const LANES = 256; // lanes of a row's workgroup

export interface TopKMean {
  /** `[...]` */
  readonly output: Tensor;
  /** `[..., 2]`, u32: the selection, which the gradient needs. */
  readonly selection: Tensor;
}

/** Means of the k largest values along the last axis: `[..., N]` -> `[...]`. */
export function topKMeanForward(input: Tensor, k: number): TopKMean {
  const dtype = floatDType("topKMean", { input });
  const { rows, columns, leading } = extentsOf(input, k);
  const output = empty(input.device, leading, dtype);
  const selection = empty(input.device, [...leading, 2], "u32");
  launch({
    module,
    entryPoint: "forward",
    element: dtype,
    constants: { WORKGROUP_SIZE: LANES },
    tensors: { input, output, selection },
    params: { rows, columns, k },
    size: { workgroups: rows },
  });
  return { output, selection };
}

/** d loss / d input, `[..., N]`. */
export function topKMeanBackwardInput(input: Tensor, selection: Tensor, gradOutput: Tensor, k: number): Tensor {
  const dtype = floatDType("topKMean", { input, gradOutput });
  const { rows, columns, leading } = extentsOf(input, k);
  requireShape("topKMean", "gradOutput", leading, { input, gradOutput });
  const gradInput = empty(input.device, input.shape, dtype);
  const tensors = { input, grad_output: gradOutput, selected: selection, grad_input: gradInput };
  launch({
    module,
    entryPoint: "backward_input",
    element: dtype,
    tensors,
    params: { rows, columns, k },
    size: { invocations: rows * columns },
  });
  return gradInput;
}

function extentsOf(input: Tensor, k: number) {
  const columns = input.shape.at(-1);
  if (columns === undefined) shapeError("topKMean", "expected at least one axis", { input });
  if (!(Number.isInteger(k) && k >= 1 && k <= columns))
    throw new OptionError(`topKMean: expected k, a whole number from 1 to ${columns}, got ${k}`);
  const leading = input.shape.slice(0, -1);
  return { leading, rows: countOf(leading), columns };
}
