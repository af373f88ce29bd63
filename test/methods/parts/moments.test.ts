import { expect, test } from "vitest";
import { isMomentState, Moments } from "../../../src/methods/parts/moments.ts";
import { rng } from "../../harness/bounds.ts";

const random = rng(4);
const VALUES = Float32Array.from({ length: 1000 }, () => 1e4 + random()); // a mean that is large beside their spread

test("mean and standard deviation are those of two passes, also of numbers far from zero", () => {
  const moments = new Moments();
  moments.add(VALUES);
  const mean = VALUES.reduce((sum, value) => sum + value, 0) / VALUES.length;
  const std = Math.sqrt(VALUES.reduce((sum, value) => sum + (value - mean) ** 2, 0) / VALUES.length);
  expect(moments.mean).toBeCloseTo(mean, 9);
  expect(moments.std).toBeCloseTo(std, 9);
});

test("a state as JSON goes on to the same bits; none at all has no spread", () => {
  const whole = new Moments();
  whole.add(VALUES);
  const first = new Moments();
  first.add(VALUES.subarray(0, 333));
  const second = new Moments(JSON.parse(JSON.stringify(first.state)) as typeof first.state);
  second.add(VALUES.subarray(333));
  expect(second.state).toEqual(whole.state);
  expect(new Moments().state).toEqual([0, 0, 0]);
  expect(new Moments().std).toBe(0);
});

test("what is no state is told apart", () => {
  expect(isMomentState([3, 0.5, 2])).toBe(true);
  for (const other of [null, {}, [], [1, 2], [1, 2, "3"], [1, 2, 3, 4], undefined])
    expect(isMomentState(other)).toBe(false);
});
