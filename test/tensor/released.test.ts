import { describe, expect, test } from "vitest";
import { AdamW } from "../../src/optim/adam.ts";
import { relu } from "../../src/ops/activation.ts";
import { add, multiply } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { matmul } from "../../src/ops/matmul.ts";
import { sum } from "../../src/ops/reduce.ts";
import { reshape, slice } from "../../src/ops/shape.ts";
import { ReleasedError } from "../../src/runtime/errors.ts";
import { fromArray, release, requireGrad, toArray, viewOf, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const numbers = (...values: number[]): Tensor => fromArray(device, [values.length], Float32Array.from(values));

function released(): Tensor {
  const tensor = numbers(1, 2, 3, 4);
  release(tensor);
  return tensor;
}

describe("a released tensor", () => {
  const uses: Readonly<Record<string, (tensor: Tensor) => unknown>> = {
    read: toArray,
    viewed: (tensor) => viewOf(tensor, [2, 2]),
    activated: relu,
    added: (tensor) => add(numbers(1, 2, 3, 4), tensor),
    broadcast: (tensor) => multiply(tensor, numbers(2)),
    summed: (tensor) => sum(tensor),
    sliced: (tensor) => slice(tensor, 1, 2),
    "differentiated for": (tensor) => valueAndGradients(() => [sum(numbers(1))], [requireGrad(tensor)]),
    multiplied: (tensor) => matmul({ ...tensor, shape: [1, 2, 2] }, { ...numbers(1, 2, 3, 4), shape: [1, 2, 2] }),
  };
  test.each(Object.keys(uses))("is refused where it is %s, and nothing is left behind", async (use) => {
    const tensor = released();
    numbers(9, 9, 9, 9); // reuses its memory
    const before = device.memory().allocations;
    const result = (async () => {
      using _scope = device.scope({ awaits: true });
      await uses[use]!(tensor);
    })();
    await expect(result).rejects.toThrow(ReleasedError);
    expect(device.memory().allocations).toBeLessThanOrEqual(before);
  });

  test("says its shape and what to do", () => {
    expect(() => relu(released())).toThrow(
      "relu: input [4] was released, or a tensor that shares its storage; keep it in its scope (scope.keep) or release it later",
    );
  });

  test("may be released again, which takes nothing from whoever has its storage now", async () => {
    const tensor = released();
    const next = numbers(5, 6, 7, 8);
    release(tensor);
    const another = numbers(1, 1, 1, 1);
    expect(await toArray(next)).toEqual(Float32Array.of(5, 6, 7, 8));
    [next, another].forEach(release);
  });

  test("may have been read just before", async () => {
    const tensor = numbers(1, 2);
    const read = toArray(tensor);
    release(tensor);
    expect(await read).toEqual(Float32Array.of(1, 2));
  });
});

test("tensors that share storage are released together, others are not", async () => {
  const tensor = numbers(1, 2, 3, 4);
  const [view, part] = [reshape(tensor, [2, 2]), slice(tensor, 0, 2)];
  release(view);
  expect(() => relu(tensor)).toThrow(ReleasedError);
  expect(await toArray(part)).toEqual(Float32Array.of(1, 2));
  release(part);
});

test("what a scope has taken back is refused, what it kept is not", async () => {
  let [lost, kept]: (Tensor | null)[] = [null, null];
  {
    using scope = device.scope();
    lost = numbers(1);
    kept = scope.keep(numbers(2));
  }
  await expect(toArray(lost)).rejects.toThrow(ReleasedError);
  expect(await toArray(kept)).toEqual(Float32Array.of(2));
  release(kept);
});

describe("a captured program", () => {
  test("is refused once a tensor from outside that it uses was released", async () => {
    const [input, unused] = [numbers(1, -2), numbers(3, 4)];
    const { program, result } = device.capture(() => {
      relu(unused);
      return relu(input);
    });
    release(unused); // only the end of the capture keeps its result
    release(input);
    numbers(7, 7);
    expect(() => program.run()).toThrow(ReleasedError);
    program.release();
    expect(() => program.run()).toThrow(ReleasedError);
    await expect(toArray(result)).rejects.toThrow(ReleasedError);
  });

  test("is not captured beside one that was released", () => {
    const input = numbers(1, -2);
    const { program } = device.capture(() => relu(input));
    program.release();
    expect(() => device.capture(() => relu(input), { beside: program })).toThrow(ReleasedError);
    release(input);
  });

  test("still runs where its own tensors were released inside", async () => {
    const input = numbers(1, -2);
    const { program, result } = device.capture(() => {
      const twice = add(input, input);
      const output = relu(twice);
      release(twice);
      return output;
    });
    program.run();
    expect(await toArray(result)).toEqual(Float32Array.of(2, 0));
    program.release();
    release(input);
  });
});

test("an optimiser refuses a gradient that was released", () => {
  const parameter = requireGrad(numbers(1, 2));
  const optimizer = new AdamW([{ parameters: [parameter], learningRate: 0.1 }]);
  expect(() => optimizer.step([{ ...released(), shape: [2] }])).toThrow(ReleasedError);
  optimizer.release();
  release(parameter);
});
