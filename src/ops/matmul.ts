import { record } from "../autograd/tape.ts";
import { NO_EPILOGUE, type Epilogue } from "../kernels/convolution.ts";
import { floatDType, requireShape } from "../kernels/launch.ts";
import { readOptions } from "../runtime/options.ts";
import { matmulForward, type MatmulOptions } from "../kernels/products/matmul.ts";
import { shapeError } from "../runtime/errors.ts";
import { countOf, sameShape, viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";
import { withActivation } from "./activation.ts";
import { biasPullback } from "./conv2d.ts";

/**
 * Matrix product over any leading axes, with optional transposition; bias and activation run within the kernel.
 * Differentiable in a, b and bias.
 *
 * @param a `[..., M, K]`, or `[..., K, M]` with `transposeA`; f32 or f16
 * @param b `[..., K, N]`, or `[..., N, K]` with `transposeB`; the leading axes and the dtype of a
 * @returns `[..., M, N]`
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.matmul.html, without its broadcasting
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
  const { leading, m, n } = extentsOf(a, b, transposeA, transposeB);
  const batch = countOf(leading);
  const flat = (tensor: Tensor): Tensor => viewOf(tensor, [batch, ...tensor.shape.slice(-2)]);
  const product = (x: Tensor, y: Tensor, transposeX: boolean, transposeY: boolean, { shape }: Tensor): Tensor =>
    viewOf(matmulForward(flat(x), flat(y), {}, { transposeA: transposeX, transposeB: transposeY }), shape);
  return withActivation(activation, [a, b, bias], (fused) =>
    record(
      "matmul",
      viewOf(matmulForward(flat(a), flat(b), { bias, activation: fused }, { transposeA, transposeB }), [
        ...leading,
        m,
        n,
      ]),
      [
        [a, (grad) => (transposeA ? product(b, grad, transposeB, true, a) : product(grad, b, false, !transposeB, a))],
        [b, (grad) => (transposeB ? product(grad, a, true, transposeA, b) : product(a, grad, !transposeA, false, b))],
        ...biasPullback(bias),
      ],
      { activation: fused, transposeA, transposeB },
    ),
  );
}

/** Reads the extents of a product's operands. @throws ShapeError if they disagree */
function extentsOf(
  a: Tensor,
  b: Tensor,
  transposeA: boolean,
  transposeB: boolean,
): { readonly leading: Shape; readonly m: number; readonly n: number } {
  if (a.shape.length < 2) shapeError("matmul", "expected a [...,M,K] and b [...,K,N]", { a, b });
  const leading = a.shape.slice(0, -2);
  const [rows, columns] = a.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [columns, rows] : [rows, columns];
  const n = b.shape.at(transposeB ? -2 : -1)!;
  const wanted = [...leading, ...(transposeB ? [n, k] : [k, n])];
  if (!sameShape(b.shape, wanted)) {
    const shown = [...leading, ...(transposeB ? ["N", k] : [k, "N"])];
    shapeError("matmul", `expected b [${shown.join(",")}]`, { a, b });
  }
  return { leading, m, n };
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
