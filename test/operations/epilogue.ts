// Kernels with a bias and an activation at the end. They are used only without a tape; with one the op composes them.
import { conv2d, depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { matmul, pointwiseConv2d } from "../../src/ops/matmul.ts";
import type { Activation } from "../../src/ops/activation.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { EPS_F32 } from "../harness/bounds.ts";
import type { AnyOperation, Operation } from "../harness/operation.ts";
import { definitionOf } from "../reference/activation.ts";
import { ACTIVATIONS, isOfPositives, roundingsOf } from "./activation.ts";
import { conv2dOperation } from "./conv2d.ts";
import { depthwiseConv2dOperation } from "./depthwise_conv2d.ts";
import { matmulOperation, pointwiseConv2dOperation } from "./matmul.ts";

interface Fused<P> {
  readonly sums: P;
  readonly activation: Activation;
}

type Run<P> = (p: P, inputs: readonly Tensor[], activation: Activation) => Tensor;

/**
 * The operation `base`, whose last input is a bias, with activations of any number; activations of positive numbers are
 * a second operation.
 */
function fused<P>(base: Operation<P>, run: Run<P>): readonly Operation<Fused<P>>[] {
  return [true, false].map((positive) => {
    const activations = ACTIVATIONS.filter((activation) => isOfPositives(activation) === positive);
    return {
      name: `${base.name} ending in an activation${positive ? " of positive numbers" : ""}`,
      // Packed and ragged channels in turn: every pair is a pipeline, which takes long to compile on a CPU.
      problems: activations.map((activation, i) => {
        const [why, sums] = base.problems[i % base.problems.length]!;
        return [`${JSON.stringify(activation)}, ${why}`, { sums, activation }] as const;
      }),
      draw: (draws) => ({ sums: base.draw(draws), activation: draws.pick(activations) }),
      shapes: ({ sums }) => base.shapes(sums),
      run: ({ sums, activation }, inputs) => run(sums, inputs, activation),
      forward: ({ sums, activation }, inputs) =>
        Float64Array.from(base.forward(sums, inputs), definitionOf(activation).value),
      backward: null,
      // An error of the sum is multiplied by the slope, which is at most 2 unless it is the reciprocal of a small
      // number.
      magnitudes: ({ sums, activation }, inputs) => {
        const terms = base.forward(
          sums,
          inputs.map((input) => Float64Array.from(input, Math.abs)),
        );
        const { slope } = definitionOf(activation);
        return {
          output: Array.from(base.forward(sums, inputs), (x, i) => {
            const steepest = Math.max(2, 2 * Math.abs(slope(x)));
            return steepest * base.slack(sums) * terms[i]! + roundingsOf(activation, x);
          }),
          grads: [],
        };
      },
      slack: () => 1 + 2 ** 10 * EPS_F32,
      value: positive ? (random) => 0.125 + random() : (random) => 2 * random() - 1,
      exact: null, // a bound on every activation is sharper than equality on some
    } satisfies Operation<Fused<P>>;
  });
}

export const epilogueOperations: readonly AnyOperation[] = [
  fused(conv2dOperation, ({ stride, padding, dilation, groups }, [input, weight, bias], activation) =>
    conv2d(input!, weight!, { stride, padding, dilation, groups, bias: bias!, activation }),
  ),
  fused(depthwiseConv2dOperation, ({ stride, padding, dilation }, [input, weight, bias], activation) =>
    depthwiseConv2d(input!, weight!, { stride, padding, dilation, bias: bias!, activation }),
  ),
  fused(matmulOperation, ({ transposeA = false, transposeB = false }, [a, b, bias], activation) =>
    matmul(a!, b!, { transposeA, transposeB, bias: bias!, activation }),
  ),
  fused(pointwiseConv2dOperation, (_p, [x, weight, bias], activation) =>
    pointwiseConv2d(x!, weight!, { bias: bias!, activation }),
  ),
].flat();
