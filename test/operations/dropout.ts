import { dropout } from "../../src/ops/dropout.ts";
import type { Shape } from "../../src/tensor/tensor.ts";
import type { Operation } from "../harness/operation.ts";
import { philox, unit } from "../reference/philox.ts";

interface Problem {
  readonly shape: Shape;
  readonly probability: number;
  readonly seed: number;
}

const draw = ({ seed }: Problem) => ({ seed, stream: 4, step: 9 });

/** Factor of each element. */
const factors = (p: Problem): number[] =>
  Array.from({ length: p.shape.reduce((n, d) => n * d, 1) }, (_, i) => {
    const word = philox([Math.floor(i / 4), 4, 9, 0], [p.seed, 0])[i % 4]!;
    return unit(word) < Math.fround(p.probability) ? 0 : 1 / (1 - p.probability);
  });

export const dropoutOperation: Operation<Problem> = {
  name: "dropout",
  problems: [
    ["half of them", { shape: [3, 5, 8], probability: 0.5, seed: 1 }],
    ["a number of elements that is no multiple of four", { shape: [71], probability: 0.75, seed: 2 }],
    ["none", { shape: [2, 9], probability: 0, seed: 3 }],
    ["one element", { shape: [1, 1], probability: 0.25, seed: 5 }],
  ],
  draw: (draws) => ({
    shape: [draws.whole(1, 5), draws.channels()],
    probability: draws.pick([0, 0.125, 0.5, 0.875, draws.unit()]),
    seed: draws.whole(0, 2 ** 31),
  }),
  shapes: ({ shape }) => [shape],
  run: (p, [input]) => dropout(input!, draw(p), { probability: p.probability }),
  forward: (p, [input]) => factors(p).map((factor, i) => factor * input![i]!),
  backward: (p, _inputs, gradOutput) => [factors(p).map((factor, i) => factor * gradOutput[i]!)],
  slack: () => 2, // of the factor and of the product
  exact: null, // only if the factor is a power of two, and then the bound is as sharp
};
