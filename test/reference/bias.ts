// A bias along the last axis, and its gradient.

type Numbers = ArrayLike<number>;

export const biased = (output: Numbers, bias: Numbers): Float64Array =>
  Float64Array.from(output, (x, i) => x + bias[i % bias.length]!);

export function biasGradient({ length }: Numbers, gradOutput: Numbers): Float64Array {
  const grad = new Float64Array(length);
  for (let i = 0; i < gradOutput.length; i++) grad[i % length]! += gradOutput[i]!;
  return grad;
}
