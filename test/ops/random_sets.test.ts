import { expect, test } from "vitest";
import { dealForward } from "../../src/kernels/random_sets.ts";
import { randomWords } from "../../src/ops/random.ts";
import { randomSets } from "../../src/ops/random_sets.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { toArray, zeros } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { randomSetsOperation } from "../operations/random_sets.ts";
import { dealt } from "../reference/random_sets.ts";

const DRAW = { seed: 9, stream: 5, step: 3 };

describeOperation(randomSetsOperation);

test("random sets are those of random words, disjoint, complete and of equal sizes", async () => {
  for (const shape of [
    [64, 64],
    [5, 7],
    [1, 1, 2],
  ]) {
    const words = [...(await toArray(randomWords(device, shape, DRAW)))];
    poison();
    const sets = await toArray(randomSets(device, shape, 3, DRAW));
    expect([...sets]).toEqual(dealt(words, 3));
    const sizes = [0, 1, 2].map((set) => sets.filter((own) => own === set).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(sets.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(await toArray(randomSets(device, shape, 3, DRAW))).toEqual(sets);
  }
});

test("sets are others in another step, which a captured draw reads from its tensor", async () => {
  const step = zeros(device, [1], "u32");
  const draw = (step: number) => toArray(randomSets(device, [8, 8], 3, { ...DRAW, step }));
  const { program, result } = device.capture(() => randomSets(device, [8, 8], 3, { ...DRAW, step }));
  for (const number of [0, 7]) {
    device.write(step.allocation.buffer, Uint32Array.of(number));
    program.run();
    expect(await toArray(result)).toEqual(await draw(number));
  }
  expect(await draw(7)).not.toEqual(await draw(0));
  program.release();
});

test("gives its workspace back", () => {
  using _scope = device.scope();
  const { allocations } = device.memory();
  randomSets(device, [4, 4], 3, DRAW);
  expect(device.memory().allocations).toBe(allocations + 1);
});

test("refuses shapes, numbers of sets and draws out of range", () => {
  expect(() => randomSets(device, [4, 0], 3, DRAW)).toThrow("randomSets: expected shape to be whole numbers");
  expect(() => randomSets(device, [4, 4], 0, DRAW)).toThrow(
    "randomSets: expected sets to be a whole number from 1 to 65536, got 0",
  );
  expect(() => randomSets(device, [2000, 2000], 3, DRAW)).toThrow(
    "randomSets: expected at most 1048576 elements, got [2000,2000]",
  );
  expect(() => randomSets(device, [4, 4], 3, { ...DRAW, seed: -1 })).toThrow(OptionError);
  expect(() => dealForward(zeros(device, [3]), 3)).toThrow(ShapeError);
});
