import { record } from "../autograd/tape.ts";
import { NO_EPILOGUE, type Epilogue } from "../kernels/convolution.ts";
import { floatDType, requireShape } from "../kernels/launch.ts";
import { readOptions } from "../runtime/options.ts";
import { matmulForward, type MatmulOptions } from "../kernels/products/matmul.ts";
import { shapeError } from "../runtime/errors.ts";
import { countOf, viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";
import { withActivation } from "./activation.ts";
import { biasPullback } from "./conv2d.ts";

/**
 * Batched matrix product, with optional transposition; bias and activation run within the kernel. Differentiable in a,
 * b and bias.
 *
 * @param a `[G, M, K]`, or `[G, K, M]` with `transposeA`; f32 or f16
 * @param b `[G, K, N]`, or `[G, N, K]` with `transposeB`; a's dtype
 * @returns `[G, M, N]`
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.bmm.html
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions & Epilogue = {}): Tensor {
  const { bias, activation, transposeA, transposeB } = readOptions<Required<MatmulOptions & Epilogue>>(
    "matmul",
    options,
    {
      transposeA: false,
      transposeB: false,
      ...NO_EPILOGUE,
    },
  );
  const product = (x: Tensor, y: Tensor, transposeX: boolean, transposeY: boolean) =>
    matmulForward(x, y, {}, { transposeA: transposeX, transposeB: transposeY });
  return withActivation(activation, [a, b, bias], (fused) =>
    record(
      "matmul",
      matmulForward(a, b, { bias, activation: fused }, { transposeA, transposeB }),
      [
        [a, (grad) => (transposeA ? product(b, grad, transposeB, true) : product(grad, b, false, !transposeB))],
        [b, (grad) => (transposeB ? product(grad, a, true, transposeA) : product(a, grad, !transposeA, false))],
        ...biasPullback(bias),
      ],
      { activation: fused, transposeA, transposeB },
    ),
  );
}

/**
 * 1x1 convolution or linear layer: multiplies the last axis by a matrix. Bias and activation run within the kernel.
 * Differentiable in input, weight and bias.
 *
 * @param input `[..., C]`, f32 or f16
 * @param weight `[C, K]`, the input's dtype
 * @returns `[..., K]`
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an unknown option
 */
export function pointwiseConv2d(input: Tensor, weight: Tensor, options: Epilogue = {}): Tensor {
  const epilogue = readOptions<Required<Epilogue>>("pointwiseConv2d", options, NO_EPILOGUE);
  const tensors = { input, weight, ...(epilogue.bias && { bias: epilogue.bias }) };
  floatDType("pointwiseConv2d", tensors);
  const channels = input.shape.at(-1)!;
  if (weight.shape.length !== 2 || weight.shape[0] !== channels)
    shapeError("pointwiseConv2d", `expected weight [${channels},K]`, tensors);
  if (epilogue.bias) requireShape("pointwiseConv2d", "bias", weight.shape.slice(1), tensors);
  const { bias, activation } = epilogue;
  const positions = countOf(input.shape.slice(0, -1));
  const rows = (tensor: Tensor): Tensor => viewOf(tensor, [1, positions, tensor.shape.at(-1)!]);
  const matrix = viewOf(weight, [1, ...weight.shape]);
  const product = (x: Tensor, y: Tensor, transposed: Transposed, shape: Shape): Tensor =>
    viewOf(matmulForward(x, y, {}, transposed), shape);
  return withActivation(activation, [input, weight, bias], (fused) => {
    const output = matmulForward(
      rows(input),
      matrix,
      { bias, activation: fused },
      { transposeA: false, transposeB: false },
    );
    return record(
      "pointwiseConv2d",
      viewOf(output, [...input.shape.slice(0, -1), weight.shape[1]!]),
      [
        [input, (grad) => product(rows(grad), matrix, { transposeA: false, transposeB: true }, input.shape)],
        [weight, (grad) => product(rows(input), rows(grad), { transposeA: true, transposeB: false }, weight.shape)],
        ...biasPullback(bias),
      ],
      { activation: fused },
    );
  });
}

type Transposed = Required<MatmulOptions>;
