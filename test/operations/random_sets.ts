import { dealForward } from "../../src/kernels/random_sets.ts";
import { fromArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import { dealt } from "../reference/random_sets.ts";

interface Problem {
  readonly count: number;
  readonly sets: number;
  /** Words from 0 to this: few, so that some are equal, or all that there are. */
  readonly most: number;
  readonly seed: number;
}

const wordsOf = ({ count, most, seed }: Problem): number[] => {
  const draws = new Draws(seed);
  return Array.from({ length: count }, () => draws.whole(0, most));
};

/** Dealing by words that are given: those that are drawn hardly ever are equal. */
export const randomSetsOperation: Operation<Problem> = {
  name: "randomSets",
  problems: [
    ["few words, most of them equal", { count: 70, sets: 3, most: 4, seed: 1 }],
    ["words beyond 2^31", { count: 300, sets: 3, most: 0xffffffff, seed: 2 }],
    ["one element", { count: 1, sets: 2, most: 9, seed: 3 }],
    ["one set", { count: 9, sets: 1, most: 9, seed: 4 }],
    ["more sets than elements", { count: 3, sets: 7, most: 9, seed: 5 }],
  ],
  draw: (draws) => ({
    count: draws.pick([1, 2, 5, 63, 64, 65, 200]),
    sets: draws.pick([1, 2, 3, 3, 8]),
    most: draws.pick([3, 50, 0xffffffff]),
    seed: draws.whole(0, 2 ** 31),
  }),
  shapes: () => [],
  run: (p) => dealForward(fromArray(device, [p.count], Uint32Array.from(wordsOf(p))), p.sets),
  forward: (p) => dealt(wordsOf(p), p.sets),
  backward: null,
  slack: () => 0,
  half: null,
};
