import { record } from "../autograd/tape.ts";
import { castForward } from "../kernels/cast.ts";
import { OptionError } from "../runtime/errors.ts";
import { DTYPES, type DType, type Tensor } from "../tensor/tensor.ts";

/**
 * Converts to another dtype: to f16 rounded to the nearest, to u32 truncated towards zero. Differentiable between f32
 * and f16. A tensor of that dtype is returned as it is.
 *
 * @param input any shape
 * @returns the input's shape
 * @throws OptionError for an unknown dtype, between f16 and u32, or for f16 if the device lacks it
 */
export function cast(input: Tensor, dtype: DType): Tensor {
  if (!DTYPES.includes(dtype))
    throw new OptionError(`cast: expected a dtype of ${DTYPES.join(", ")}, got ${String(dtype)}`);
  if (input.dtype === dtype) return input;
  const output = castForward(input, dtype);
  if (dtype === "u32" || input.dtype === "u32") return output; // integers have no gradient
  return record("cast", output, [[input, (gradOutput) => castForward(gradOutput, input.dtype)]]);
}
