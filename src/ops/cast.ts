import { castForward } from "../kernels/cast.ts";
import type { DType, Tensor } from "../tensor/tensor.ts";
export const cast = (input: Tensor, dtype: DType): Tensor => (input.dtype === dtype ? input : castForward(input, dtype));
