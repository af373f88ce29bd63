import { describe, expect, test } from "vitest";
import { reduceMiddle, sumProducts, type Middle } from "../../src/kernels/reduce.ts";
import { fromArray, toArray, zeros } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { expectClose } from "../harness/close.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

/** Float64 definition: the sum over the middle axis of a * b. */
function definition({ groups, extent, channels }: Middle, a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const output = new Float64Array(groups * channels);
  for (let g = 0; g < groups; g++) {
    for (let m = 0; m < extent; m++) {
      for (let c = 0; c < channels; c++) {
        const i = (g * extent + m) * channels + c;
        output[g * channels + c]! += a[i]! * b[i]!;
      }
    }
  }
  return output;
}

/** Additions on the longest path of a sum made 128 elements at a time; the first is an addition to zero. */
const additions = (extent: number): number => (extent <= 128 ? extent : 128 + additions(Math.ceil(extent / 128)));

function run(middle: Middle, a: Float32Array, b: Float32Array, scale?: number): Promise<Float32Array> {
  poison();
  using _scope = device.scope();
  const { groups, extent, channels } = middle;
  const shape = [groups, extent, channels];
  const before = device.memory().allocations;
  const sum = sumProducts(fromArray(device, shape, a), fromArray(device, shape, b), middle, [groups, channels], scale);
  expect(sum.shape).toEqual([groups, channels]);
  expect(device.memory().allocations).toBe(before + 3); // the operands and the sum: no workspace is left
  return toArray(sum);
}

describe.each<readonly [string, Middle]>([
  ["one product", { groups: 1, extent: 1, channels: 1 }],
  ["packed channels", { groups: 3, extent: 5, channels: 8 }],
  ["ragged channels", { groups: 2, extent: 7, channels: 3 }],
  ["no rows, so the sum is zero", { groups: 2, extent: 0, channels: 3 }],
  ["a full slice exactly", { groups: 1, extent: 128, channels: 5 }],
  ["one row more than a slice", { groups: 2, extent: 129, channels: 4 }],
  ["a gradient's square norm, three passes", { groups: 1, extent: 40_001, channels: 1 }],
])("sumProducts, %s", (_what, middle) => {
  const count = middle.groups * middle.extent * middle.channels;
  const fill = (seed: number, value: (random: () => number) => number) => {
    const random = rng(seed);
    return Float32Array.from({ length: count }, () => value(random));
  };

  test("is exact where f32 arithmetic is exact, scaled too", async () => {
    const integer = (random: () => number) => Math.floor(9 * random()) - 4;
    const [a, b] = [fill(1, integer), fill(2, integer)];
    const want = definition(middle, a, b);
    expect(Array.from(await run(middle, a, b))).toEqual(Array.from(want));
    expect(Array.from(await run(middle, a, b, 0.5))).toEqual(Array.from(want, (x) => 0.5 * x));
  });

  test("is as close to float64 as f32 allows, and the same bits every time", async () => {
    const signed = (random: () => number) => 2 * random() - 1;
    const [a, b] = [fill(3, signed), fill(4, signed)];
    const got = await run(middle, a, b);
    const magnitude = definition(middle, a.map(Math.abs), b.map(Math.abs));
    expectClose(got, definition(middle, a, b), magnitude, 1 + additions(middle.extent)); // and one for each product
    expect(await run(middle, a, b)).toEqual(got);
  });
});

test("one tensor may be both factors", async () => {
  const read = () => {
    using _scope = device.scope();
    const a = fromArray(device, [4], Float32Array.of(1, 2, 3, 4));
    return toArray(sumProducts(a, a, { groups: 1, extent: 4, channels: 1 }, [1]));
  };
  expect(await read()).toEqual(Float32Array.of(30));
});

test("the sum of no rows is zero, whatever memory held", async () => {
  poison();
  const read = () => {
    using _scope = device.scope();
    return toArray(reduceMiddle(zeros(device, [0, 5]), { groups: 1, extent: 0, channels: 5 }, [5], "sum"));
  };
  expect(await read()).toEqual(new Float32Array(5));
});
