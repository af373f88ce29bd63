import { squeezeExcitation } from "../../src/ops/squeeze_excitation.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/squeeze_excitation.ts";

interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly squeezed: number;
}

const plain = ({ height, width, ...rest }: Problem): reference.Problem => ({ ...rest, positions: height * width });

export const squeezeExcitationOperation: Operation<Problem> = {
  name: "squeezeExcitation",
  problems: [
    ["one position, one channel", { batch: 1, height: 1, width: 1, channels: 1, squeezed: 1 }],
    ["packed", { batch: 2, height: 5, width: 4, channels: 16, squeezed: 4 }],
    ["nothing a multiple of anything", { batch: 3, height: 3, width: 7, channels: 6, squeezed: 5 }],
  ],
  draw: (draws) => ({
    batch: draws.whole(1, 3),
    height: draws.whole(1, 7),
    width: draws.whole(1, 7),
    channels: draws.channels(),
    squeezed: draws.whole(1, 5),
  }),
  shapes: ({ batch, height, width, channels, squeezed }) => [
    [batch, height, width, channels],
    [channels, squeezed],
    [squeezed],
    [squeezed, channels],
    [channels],
  ],
  run: (_p, [input, w1, b1, w2, b2]) =>
    squeezeExcitation(input!, { weight: w1!, bias: b1! }, { weight: w2!, bias: b2! }),
  forward: (p, inputs) => reference.forward(plain(p), inputs),
  backward: (p, inputs, gradOutput) => reference.backward(plain(p), inputs, gradOutput),
  // Each of the mean, the two layers and the gate's exponential has as many roundings as terms, and a few more.
  slack: ({ height, width, channels, squeezed }) => 2 * (height * width + channels + squeezed) + 24,
  // The sums on absolute values, with the gate's slope of at most 1: the effect of an error in any term.
  magnitudes: (p, inputs, gradOutput) => {
    const absolute = inputs.map((input) => Float64Array.from(input, Math.abs));
    const reach = 1 + p.squeezed * (1 + p.channels);
    return {
      output: absolute[0]!.map((x) => reach * x + 1e-3),
      grads: reference.backward(plain(p), absolute, Float64Array.from(gradOutput, Math.abs)).map((grad) => {
        const most = Math.max(...grad, 1);
        return grad.map(() => reach * most);
      }),
    };
  },
  exact: null,
  half: 8, // of the mean, two layers with their activations, the gate, and back
};
