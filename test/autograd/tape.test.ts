import { describe, expect, test } from "vitest";
import { gradientsOf, record } from "../../src/autograd/tape.ts";
import { binaryForward } from "../../src/kernels/elementwise.ts";
import { tanh } from "../../src/ops/activation.ts";
import { add, multiply } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { pointwiseConv2d } from "../../src/ops/matmul.ts";
import { mean } from "../../src/ops/reduce.ts";
import { concat, reshape, slice } from "../../src/ops/shape.ts";
import { OptionError, ShapeError, UsageError } from "../../src/runtime/errors.ts";
import { countOf, fromArray, requireGrad, toArray, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";

const random = rng(41);
const draw = (count: number) => Float32Array.from({ length: count }, () => 2 * random() - 1);
const parameter = (shape: Shape, values = draw(countOf(shape))) => requireGrad(fromArray(device, shape, values));

describe("the gradient of a composed function", () => {
  // mean(tanh(x W + b) * [first half of x, first half of x]): x is used three times, in different ops.
  const [rows, width] = [5, 8];
  const onDevice = (x: Tensor, w: Tensor, b: Tensor): Tensor => {
    const half = slice(x, 0, width / 2);
    return mean(multiply(tanh(pointwiseConv2d(x, w, { bias: b })), concat([half, half])));
  };
  const onHost = (x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>): number => {
    let total = 0;
    for (let r = 0; r < rows; r++) {
      for (let k = 0; k < width; k++) {
        let sum = b[k]!;
        for (let c = 0; c < width; c++) sum += x[r * width + c]! * w[c * width + k]!;
        total += Math.tanh(sum) * x[r * width + (k % (width / 2))]!;
      }
    }
    return total / rows / width;
  };

  test("agrees with central differences in float64, along a random direction of each input", async () => {
    const values = [draw(rows * width), draw(width * width), draw(width)] as const;
    const tensors = [
      parameter([rows, width], values[0]),
      parameter([width, width], values[1]),
      parameter([width], values[2]),
    ] as const;
    const { grads } = valueAndGradients(() => [onDevice(...tensors)], tensors);
    for (const [i, base] of values.entries()) {
      const direction = draw(base.length);
      const at = (t: number) =>
        onHost(
          ...(values.map((v, j) =>
            j === i ? Float64Array.from(v, (x, n) => x + t * direction[n]!) : v,
          ) as unknown as Parameters<typeof onHost>),
        );
      const slope = (at(1e-6) - at(-1e-6)) / 2e-6;
      const along = (await toArray(grads[i]!)).reduce((sum, g, n) => sum + g * direction[n]!, 0);
      expect(Math.abs(along - slope)).toBeLessThan(1e-5 * (1 + Math.abs(slope)));
    }
  });

  test("exists only where it is wanted", async () => {
    const [x, unused] = [parameter([4]), parameter([4])];
    const plain = fromArray(device, [4], draw(4));
    let pulled = 0;
    const { grads } = valueAndGradients(() => {
      const counted = record("counted", binaryForward(plain, plain, "add"), [[plain, (g) => (pulled++, g)]]);
      expect(counted.requiresGrad).toBe(false);
      return [add(multiply(x, plain), counted)];
    }, [x, unused]);
    expect(await toArray(grads[0]!)).toEqual(await toArray(plain));
    expect(grads[1]).toBeNull();
    expect(pulled).toBe(0);
  });
});

test("what an earlier tape made is a constant on the next, or a parameter of it; the loss itself may be one", async () => {
  const x = parameter([2], Float32Array.of(1, 2));
  const { results } = valueAndGradients(() => [multiply(x, x)], [x]);
  const y = requireGrad(results[0]);
  const three = fromArray(device, [2], Float32Array.of(3, 3));
  const { grads } = valueAndGradients(() => [multiply(y, three)], [y, x]);
  expect(await toArray(grads[0]!)).toEqual(Float32Array.of(3, 3));
  expect(grads[1]).toBeNull();
  expect(await toArray(valueAndGradients(() => [y], [y]).grads[0]!)).toEqual(Float32Array.of(1, 1));
});

test("a loss of several elements counts as their sum", async () => {
  const x = parameter([3], Float32Array.of(1, 2, 3));
  expect(await toArray(valueAndGradients(() => [multiply(x, x)], [x]).grads[0]!)).toEqual(Float32Array.of(2, 4, 6));
});

describe("memory", () => {
  test("is as before, but for results and gradients", () => {
    const x = parameter([1000]);
    const before = device.memory();
    const { results, grads } = valueAndGradients(() => {
      const y = tanh(tanh(x));
      return [mean(y), y];
    }, [x]);
    expect(device.memory().allocations).toBe(before.allocations + 3);
    for (const tensor of [...results, ...grads]) device.release(tensor!.allocation);
    expect(device.memory().bytes).toBe(before.bytes);
  });

  test("falls as the walk goes on: neither activations nor gradients outlive their last use", () => {
    const [count, length] = [4096, 30];
    const x = parameter([count]);
    const before = device.memory().bytes;
    const held = (): number => (device.memory().bytes - before) / (4 * count);
    const heldAtLink: number[] = [];
    // Each link uses its input twice, so that gradients are added up, and looks at what is held when the walk comes by.
    const link = (input: Tensor, i: number): Tensor => {
      const output = add(tanh(input), input);
      return record("watch", reshape(output, [count]), [
        [
          output,
          (g) => {
            heldAtLink[i] = held();
            return g;
          },
        ],
      ]);
    };
    let heldAfterForward = 0;
    const { results, grads } = valueAndGradients(() => {
      let y: Tensor = x;
      for (let i = 0; i < length; i++) y = link(y, i);
      heldAfterForward = held();
      return [mean(y)];
    }, [x]);
    for (const tensor of [...results, ...grads]) device.release(tensor!.allocation);
    expect(heldAfterForward).toBeGreaterThanOrEqual(2 * length); // tanh and sum of each link
    // Left at link i: the activations of links 0 to i, the gradient that arrives, and the small tensors of the mean.
    for (const [i, tensors] of heldAtLink.entries()) expect(tensors, `link ${i}`).toBeLessThan(2 * (i + 1) + 1.5);
    expect(device.memory().bytes).toBe(before);
  });

  test("a parameter seen through a view is never given back", async () => {
    const x = parameter([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    const { grads } = valueAndGradients(() => [mean(multiply(reshape(x, [6]), reshape(x, [6])))], [x]);
    expect(await toArray(x)).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    (await toArray(grads[0]!)).forEach((g, i) => expect(g).toBeCloseTo((i + 1) / 3, 5));
  });
});

test("a pullback of the wrong shape is named", () => {
  const x = parameter([4]);
  const wrong = () => record("crooked", binaryForward(x, x, "add"), [[x, () => fromArray(device, [2], draw(2))]]);
  expect(() => valueAndGradients(() => [wrong()], [x])).toThrow(
    "crooked: a pullback returned f32 [2] for an input f32 [4]",
  );
});

test("an error inside leaves no tape running and no memory behind", () => {
  const x = parameter([4]);
  const before = device.memory().bytes;
  const rules = { seed: (loss: Tensor) => loss, add: (a: Tensor) => a, copy: (a: Tensor) => a };
  expect(() =>
    gradientsOf(
      () => {
        tanh(x);
        throw new Error("no");
      },
      [x],
      rules,
    ),
  ).toThrow("no");
  expect(device.memory().bytes).toBe(before);
  expect(tanh(x).requiresGrad).toBe(false);
});

describe("gradients that cannot be had say so", () => {
  const given = (...values: number[]) => requireGrad(fromArray(device, [values.length], Float32Array.from(values)));
  const refused = (
    f: () => unknown,
    wrt: readonly Tensor[],
    error: new (message: string) => Error,
    message: string,
  ) => {
    using _scope = device.scope();
    const differentiate = (): unknown => valueAndGradients(f as () => readonly [Tensor], wrt);
    expect(differentiate).toThrow(error);
    expect(differentiate).toThrow(message);
  };

  test("of gradients, within them", () => {
    const x = given(2);
    const inner = () => valueAndGradients(() => [multiply(x, x)], [x]).grads as readonly [Tensor];
    refused(inner, [x], UsageError, "second derivatives are not supported");
    expect(valueAndGradients(() => [multiply(x, x)], [x]).grads[0]).not.toBeNull(); // no tape was left open
  });

  test("for nothing", () =>
    refused(() => [given(1)], [], OptionError, "expected at least one tensor to differentiate for, got none"));

  test("for a tensor that wants none", () => {
    const x = fromArray(device, [1], Float32Array.of(1));
    refused(
      () => [multiply(x, x)],
      [given(1), x],
      OptionError,
      "expected tensors made by requireGrad, wrt[1] [1] is not",
    );
  });

  test("of an f that is async", () => {
    const x = given(1);
    refused(async () => [multiply(x, x)], [x], UsageError, "it is async");
    refused(async () => Promise.reject(new Error("never seen")), [x], UsageError, "it is async");
  });

  test.each([[undefined], [null], [[]], [[undefined]], [5], [["loss"]]])("of an f that returns %j", (returned) => {
    refused(() => returned, [given(1)], OptionError, "expected f to return a list of tensors, the loss first");
  });

  test("of an f that returns a tensor without a list", () => {
    const x = given(1);
    refused(() => multiply(x, x), [x], OptionError, "such as () => [loss]");
  });

  test("of a loss of whole numbers", () => {
    refused(
      () => [fromArray(device, [1], Uint32Array.of(1))],
      [given(1)],
      ShapeError,
      "expected a loss of dtype f32 or f16, it is u32 [1]",
    );
  });
});

test("a tensor named twice gets its gradient twice, one that the loss does not use gets null, and a loss of several numbers is their sum", async () => {
  using _scope = device.scope({ awaits: true });
  const [x, unused] = [2, 5].map((value) => requireGrad(fromArray(device, [2], Float32Array.of(value, value + 1)))) as [
    Tensor,
    Tensor,
  ];
  const { grads } = valueAndGradients(() => [multiply(x, x)], [x, unused, x]);
  expect(grads[1]).toBeNull();
  expect(await toArray(grads[0]!)).toEqual(Float32Array.of(4, 6));
  expect(await toArray(grads[2]!)).toEqual(Float32Array.of(4, 6));
  expect(grads[0]!.allocation).not.toBe(grads[2]!.allocation);
});
