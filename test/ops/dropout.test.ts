import { describe, expect, test } from "vitest";
import { dropout } from "../../src/ops/dropout.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { dropoutOperation } from "../operations/dropout.ts";

describeOperation(dropoutOperation);

const draw = { seed: 1, stream: 2, step: 3 };

test("dropout keeps the share it should, and the mean", async () => {
  using _scope = device.scope({ awaits: true });
  const count = 40_000;
  const output = await toArray(
    dropout(fromArray(device, [count], new Float32Array(count).fill(1)), draw, { probability: 0.3 }),
  );
  const kept = output.filter((x) => x !== 0);
  const std = Math.sqrt(0.3 * 0.7 * count);
  expect(Math.abs(kept.length - 0.7 * count)).toBeLessThan(4 * std);
  expect(kept.every((x) => x === Math.fround(1 / 0.7))).toBe(true);
});

test("dropout of another seed, stream or step drops others", async () => {
  using _scope = device.scope({ awaits: true });
  const ones = fromArray(device, [200], new Float32Array(200).fill(1));
  const outputs = [draw, { ...draw, seed: 2 }, { ...draw, stream: 3 }, { ...draw, step: 4 }].map((d) =>
    toArray(dropout(ones, d)),
  );
  const seen = new Set((await Promise.all(outputs)).map((output) => output.join()));
  expect(seen.size).toBe(4);
});

test("dropout of nothing is nothing", async () => {
  expect(await runEmpty([[0, 3]], ([input]) => dropout(input!, draw))).toEqual({
    shape: [0, 3],
    dispatches: 0,
    grads: [[]],
  });
});

describe("dropout rejects, before any GPU work,", () => {
  test.each([1, -0.1, NaN])("a probability of %s", (probability) => {
    expect(() => dropout(empty(device, [3]), draw, { probability })).toThrow(
      `dropout: expected a probability in [0, 1), got ${probability}`,
    );
  });
  test("a draw that is not of u32s", () => {
    expect(() => dropout(empty(device, [3]), { ...draw, step: 0.5 })).toThrow(
      "dropout: expected seed, stream and step to be whole numbers below 2^32, got 1, 2 and 0.5",
    );
  });
  test("an option it does not know, and whole numbers", () => {
    expect(() => dropout(empty(device, [3]), draw, { rate: 0.1 } as object)).toThrow(
      "dropout: unknown option rate; it takes probability",
    );
    expect(() => dropout(empty(device, [3], "u32"), draw)).toThrow(
      "dropout: expected input of dtype f32 or f16, it is u32, got input [3]",
    );
  });
});
