import { describe, expect, test } from "vitest";
import { Weights } from "../../src/nn/weights.ts";
import { openDevice } from "../../src/node/device.ts";
import { add } from "../../src/ops/elementwise.ts";
import { Sgd } from "../../src/optim/sgd.ts";
import { DeviceLostError, UsageError } from "../../src/runtime/errors.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray, release, requireGrad, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const numbers = (): Tensor => fromArray(device, [2], Float32Array.of(1, 2));

describe("tidy", () => {
  test.each<readonly [string, (tensor: Tensor) => unknown, number]>([
    ["a tensor", (tensor) => tensor, 1],
    ["an array with gaps", (tensor) => [null, tensor, undefined], 1],
    ["objects in objects", (tensor) => ({ a: { b: [tensor] }, c: add(tensor, tensor) }), 2],
    ["a map and a set", (tensor) => [new Map([["x", tensor]]), new Set([add(tensor, tensor)])], 2],
    ["an object that holds itself", (tensor) => Object.assign([tensor] as unknown[], { self: null }), 1],
    ["a number", () => 3, 0],
  ])("keeps what is returned, %s, and gives everything else back", (_what, resultOf, kept) => {
    const before = device.memory();
    const made: Tensor[] = [];
    const result = device.tidy(() => {
      const tensor = numbers();
      made.push(tensor);
      add(tensor, tensor);
      return resultOf(tensor);
    });
    expect(result).toBeDefined();
    expect(device.memory().allocations - before.allocations).toBe(kept);
    const left = device.memory().bytes;
    for (const tensor of made) release(tensor);
    expect(left - device.memory().bytes).toBe(kept > 0 ? 256 : 0);
    device.trim();
  });

  test("keeps a tensor's values", async () => {
    const sum = device.tidy(() => add(add(numbers(), numbers()), numbers()));
    expect(await toArray(sum)).toEqual(Float32Array.of(3, 6));
    release(sum);
  });

  test("gives everything back where the function throws", () => {
    const before = device.memory().bytes;
    expect(() =>
      device.tidy(() => {
        numbers();
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(device.memory().bytes).toBe(before);
  });

  test("refuses a function that awaits, and gives back what it had made", async () => {
    const before = device.memory().bytes;
    expect(() => device.tidy(async () => toArray(numbers()))).toThrow(UsageError);
    expect(device.memory().bytes).toBe(before);
    await device.finish();
  });

  test("works inside a capture", async () => {
    const input = numbers();
    const { program, result } = device.capture(() => device.tidy(() => add(add(input, input), input)), { lean: true });
    device.write(input.allocation.buffer, Float32Array.of(5, 7));
    program.run();
    expect(await toArray(result)).toEqual(Float32Array.of(15, 21));
    program.release();
    release(input);
  });
});

describe("using gives back", () => {
  test("a program, an optimiser and weights, when their block ends", () => {
    const before = device.memory().bytes;
    {
      using weights = Weights.drawn(device);
      const parameter = requireGrad(weights.normal("w", [100], 1, new RandomStream(1, 1)));
      using optimizer = new Sgd([{ parameters: [parameter], learningRate: 1 }]);
      using program = device.capture(() => optimizer.apply([zeros(device, [100])])).program;
      program.run();
      expect(device.memory().bytes).toBeGreaterThan(before);
    }
    expect(device.memory().bytes).toBe(before);
  });

  test("a device", async () => {
    let outer;
    {
      using own = await openDevice();
      outer = own;
    }
    expect(() => zeros(outer, [1])).toThrow(DeviceLostError);
  });
});
