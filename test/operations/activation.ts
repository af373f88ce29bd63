import { activation, type Activation, type ActivationName } from "../../src/ops/activation.ts";
import type { Shape } from "../../src/tensor/tensor.ts";
import { EPS_F32 } from "../harness/bounds.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/activation.ts";

/**
 * A number and the bound of its f32 error, in eps (half an ulp of 1): running error analysis of the kernel's formula.
 */
interface Bounded {
  readonly value: number;
  readonly error: number;
}

const known = (value: number): Bounded => ({ value, error: 0 });

// The accuracy that WGSL states, in ulp, plus the error carried by the operands. An ulp is at most 2 eps of the value.
const result = (value: number, carried: number, ulp: number): Bounded => ({
  value,
  error: carried + 2 * ulp * Math.abs(value),
});
const plus = (a: Bounded, b: Bounded) => result(a.value + b.value, a.error + b.error, 0.5);
const minus = (a: Bounded, b: Bounded) => result(a.value - b.value, a.error + b.error, 0.5);
const times = (a: Bounded, b: Bounded) =>
  result(a.value * b.value, Math.abs(a.value) * b.error + Math.abs(b.value) * a.error, 0.5);
const over = (a: Bounded, b: Bounded) => {
  const quotient = a.value / b.value;
  return result(quotient, (a.error + Math.abs(quotient) * b.error) / Math.abs(b.value), 2.5);
};
const exp = (a: Bounded) => result(Math.exp(a.value), Math.exp(a.value) * a.error, 3 + 2 * Math.abs(a.value));
const inverseSqrt = (a: Bounded) => result(1 / Math.sqrt(a.value), a.error / (2 * a.value ** 1.5), 2);
const sqrt = (a: Bounded) => over(known(1), inverseSqrt(a)); // WGSL: inherited from 1 / inverseSqrt(x)
const clamp = (a: Bounded, low: number, high: number): Bounded => ({
  ...a,
  value: Math.min(Math.max(a.value, low), high),
});

const sigmoid = (x: Bounded) => over(known(1), plus(known(1), exp(known(-x.value))));
// WGSL: inherited from sinh(x) / cosh(x), and those from (exp(x) -+ exp(-x)) * 0.5, where the factor is exact.
const tanh = (x: Bounded) => over(minus(exp(x), exp(known(-x.value))), plus(exp(x), exp(known(-x.value))));
const one = known(1);
const share = ({ value }: Bounded): Bounded =>
  result(0.5, 4 + 16 * Math.exp((-value * value) / 2) * (1 + value * value), 2);

interface Formula {
  readonly value: (x: Bounded) => Bounded;
  readonly slope: (x: Bounded) => Bounded;
}

const leaky = (slope: number): Formula => ({
  value: (x) => (x.value > 0 ? x : times(x, result(slope, 0, 0.5))),
  slope: ({ value }) => (value > 0 ? one : result(slope, 0, 0.5)),
});

/** The kernel's formulas away from the kinks, operation by operation. */
const FORMULAS: Record<ActivationName, Formula> = {
  relu: { value: (x) => clamp(x, 0, Infinity), slope: ({ value }) => known(Number(value > 0)) },
  relu6: { value: (x) => clamp(x, 0, 6), slope: ({ value }) => known(Number(value > 0 && value < 6)) },
  hsigmoid: {
    value: (x) => over(clamp(plus(x, known(3)), 0, 6), known(6)),
    slope: ({ value }) => result(Math.abs(value) < 3 ? 1 / 6 : 0, 0, 0.5),
  },
  hswish: {
    value: (x) => over(times(x, clamp(plus(x, known(3)), 0, 6)), known(6)),
    slope: (x) => (Math.abs(x.value) < 3 ? plus(over(x, known(3)), known(0.5)) : known(Number(x.value > 0))),
  },
  sigmoid: { value: sigmoid, slope: (x) => times(sigmoid(x), minus(one, sigmoid(x))) },
  silu: {
    value: (x) => times(x, sigmoid(x)),
    slope: (x) => times(sigmoid(x), plus(one, times(x, minus(one, sigmoid(x))))),
  },
  tanh: { value: tanh, slope: (x) => minus(one, times(tanh(x), tanh(x))) },
  leakyRelu: leaky(0.01),
  // The approximation of erfc is good to 1e-7, which is 2 eps of the share; its exponent has a few roundings of at most
  // 60.
  gelu: {
    value: (x) => times(x, share(x)),
    slope: (x) => plus(share(x), times(times(x, exp(times(known(-0.5), times(x, x)))), known(0.4))),
  },
  exp: { value: exp, slope: exp },
  // WGSL: 3 ulp outside [0.5, 2], and 2^-21 within.
  log: {
    value: (x) => ({ value: Math.log(x.value), error: 6 * Math.abs(Math.log(x.value)) + 8 }),
    slope: (x) => over(one, x),
  },
  abs: { value: ({ value }) => known(Math.abs(value)), slope: ({ value }) => known(Math.sign(value)) },
  square: { value: (x) => times(x, x), slope: (x) => times(known(2), x) },
  sqrt: { value: sqrt, slope: (x) => over(known(0.5), sqrt(x)) },
};

/** Every activation by its name, and leaky ReLU with another slope. */
export const ACTIVATIONS: readonly Activation[] = [
  ...(Object.keys(FORMULAS) as ActivationName[]),
  { name: "leakyRelu", slope: -0.375 },
];

const formulaOf = (of: Activation): Formula => (typeof of === "string" ? FORMULAS[of] : leaky(of.slope));

/** Bound of the f32 error of an activation's value at x, in eps. */
export const roundingsOf = (of: Activation, x: number): number => formulaOf(of).value(known(x)).error;

/** True if the function needs positive numbers. */
export const isOfPositives = (of: Activation): boolean => of === "sqrt" || of === "log";

// the others divide, which WGSL never requires to be exact
const EXACT: readonly Activation[] = ["relu", "relu6", "abs", "square"];

// 0 and 6 are kinks, and within the range.
const whole = (random: () => number): number => Math.floor(13 * random()) - 4;

const operationOf = (of: Activation): Operation<Shape> => ({
  name: typeof of === "string" ? of : "leakyRelu of another slope",
  problems: [
    ["packed", [2, 3, 44]],
    ["ragged", [7, 31]],
  ],
  draw: (draws) => [draws.whole(1, 9), draws.channels()],
  shapes: (shape) => [shape],
  run: (_shape, [input]) => activation(input!, of),
  forward: (_shape, [input]) => reference.forward(reference.definitionOf(of), input!),
  backward: (_shape, [input], gradOutput) => [reference.backward(reference.definitionOf(of), input!, gradOutput)],
  value: isOfPositives(of) ? (random) => 0.01 + 8 * random() : (random) => 16 * random() - 8,
  exact: EXACT.includes(of) ? whole : null,
  // The bounds count every rounding; only products of two errors are left.
  magnitudes: (_shape, [input], gradOutput) => ({
    output: Array.from(input!, (x) => roundingsOf(of, x)),
    grads: [Array.from(input!, (x, i) => times(known(gradOutput[i]!), formulaOf(of).slope(known(x))).error)],
  }),
  slack: () => 1 + 2 ** 10 * EPS_F32,
});

export const activationOperations: readonly Operation<Shape>[] = ACTIVATIONS.map(operationOf);
