// Float64 definitions of the activation functions and their derivatives.

export interface Definition {
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
}

const within = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The integral of the normal density up to x, by Simpson's rule from 0; accurate to 1e-13. */
function normalShare(x: number): number {
  const steps = 800;
  const width = x / steps;
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * density(i * width);
  return 0.5 + (sum * width) / 3;
}

/** At a kink the slope is PyTorch's: 0, but 1 for hswish at 3. */
export const DEFINITIONS = {
  relu: { value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
  relu6: { value: (x) => within(x, 0, 6), slope: (x) => (x > 0 && x < 6 ? 1 : 0) },
  hsigmoid: { value: (x) => within(x / 6 + 1 / 2, 0, 1), slope: (x) => (Math.abs(x) < 3 ? 1 / 6 : 0) },
  hswish: { value: (x) => x * within(x / 6 + 1 / 2, 0, 1), slope: (x) => (x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6) },
  sigmoid: { value: logistic, slope: (x) => logistic(x) * logistic(-x) },
  silu: { value: (x) => x * logistic(x), slope: (x) => logistic(x) + x * logistic(x) * logistic(-x) },
  tanh: { value: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2 },
  leakyRelu: { value: (x) => (x > 0 ? x : 0.01 * x), slope: (x) => (x > 0 ? 1 : 0.01) },
  gelu: { value: (x) => x * normalShare(x), slope: (x) => normalShare(x) + x * density(x) },
  exp: { value: Math.exp, slope: Math.exp },
  log: { value: Math.log, slope: (x) => 1 / x },
  abs: { value: Math.abs, slope: Math.sign },
  square: { value: (x) => x * x, slope: (x) => 2 * x },
  sqrt: { value: Math.sqrt, slope: (x) => 1 / (2 * Math.sqrt(x)) },
} satisfies Record<string, Definition>;

/** The definition of an activation, or of leaky ReLU with a given slope. */
export const definitionOf = (of: keyof typeof DEFINITIONS | { readonly slope: number }): Definition =>
  typeof of === "string"
    ? DEFINITIONS[of]
    : { value: (x) => (x > 0 ? x : of.slope * x), slope: (x) => (x > 0 ? 1 : of.slope) };

export const forward = ({ value }: Definition, input: ArrayLike<number>): Float64Array =>
  Float64Array.from(input, value);

export const backward = (
  { slope }: Definition,
  input: ArrayLike<number>,
  gradOutput: ArrayLike<number>,
): Float64Array => Float64Array.from(input, (x, i) => gradOutput[i]! * slope(x));
