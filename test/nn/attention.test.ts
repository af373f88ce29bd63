import { describe, expect, test } from "vitest";
import { attention, keepAll, layerNorm, linear, type Dropping } from "../../src/nn/attention.ts";
import { Weights } from "../../src/nn/weights.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { mean } from "../../src/ops/reduce.ts";
import { reshape } from "../../src/ops/shape.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { countOf, fromArray, requireGrad, toArray, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { hashed } from "../harness/summaries.ts";
import * as reference from "../reference/attention.ts";

const EPS = 2 ** -24;
const context = () => ({ weights: Weights.drawn(device), prefix: "net", random: new RandomStream(3, 0) });

/** A tensor's last two axes as rows, for each index of those before. */
async function matricesOf(tensor: Tensor): Promise<number[][][]> {
  const [rows, columns] = tensor.shape.length > 1 ? tensor.shape.slice(-2) : [1, tensor.shape[0]!];
  const values = [...(await toArray(tensor))];
  return Array.from({ length: values.length / (rows! * columns!) }, (_, n) =>
    Array.from({ length: rows! }, (_, row) =>
      values.slice((n * rows! + row) * columns!, (n * rows! + row + 1) * columns!),
    ),
  );
}

describe("attention", () => {
  test.each([
    ["as many queries as keys", 2, 6, 6, 8, 2],
    ["fewer queries than keys, a head alone", 1, 3, 7, 5, 1],
    ["a channel in each head", 3, 5, 2, 4, 4],
  ])("is its definition's: %s", async (_why, images, tokens, keys, channels, heads) => {
    using _scope = device.scope({ awaits: true });
    const at = context();
    const attend = attention(at, channels, heads);
    for (const [name, { allocation, shape }] of at.weights.parameters)
      if (name.endsWith("bias")) device.write(allocation.buffer, new Float32Array(countOf(shape)).fill(0.25));
    const [query, key, value] = [
      hashed([images, tokens, channels], 1),
      hashed([images, keys, channels], 2),
      hashed([images, keys, channels], 3),
    ];
    // the last query sees the first key alone
    const mask = hashed([tokens, keys], 4, (u, i) => (i < (tokens - 1) * keys || i % keys === 0 ? u : -1e9));
    const got = await matricesOf(attend(query, key, value, { mask, dropping: keepAll }));
    const weightOf = async (name: string) => (await matricesOf(at.weights.parameters.get(`net.${name}.weight`)!))[0]!;
    const biasOf = (name: string) => new Array<number>(channels).fill(name === "key" ? 0 : 0.25);
    const [[q, k, v], [masked]] = [await Promise.all([query, key, value].map(matricesOf)), await matricesOf(mask)];
    for (let n = 0; n < images; n++) {
      const through = async (name: string, rows: number[][]) =>
        reference.linear(rows, await weightOf(name), biasOf(name));
      const [asked, known, told] = [
        await through("query", q![n]!),
        await through("key", k![n]!),
        await through("value", v![n]!),
      ];
      const want = await through("out", reference.attention(asked, known, told, heads, masked!));
      want.forEach((row, t) =>
        row.forEach((x, c) =>
          expect(Math.abs(got[n]![t]![c]! - x)).toBeLessThan(64 * channels * EPS * Math.max(1, Math.abs(x))),
        ),
      );
    }
  });

  test("keeps nothing of queries times keys for its gradients, which are the same bits each time", async () => {
    using _scope = device.scope({ awaits: true });
    const [tokens, channels, heads] = [64, 8, 4];
    const at = context();
    const attend = attention(at, channels, heads);
    const input = requireGrad(hashed([1, tokens, channels], 1));
    let kept = 0;
    const gradients = async () => {
      const { grads } = valueAndGradients(() => {
        const before = device.memory().bytes;
        const found = attend(input, input, input, { mask: null, dropping: keepAll });
        kept = device.memory().bytes - before;
        return [reshape(mean(found), [1])];
      }, [input, ...at.weights.parameters.values()]);
      return Promise.all(grads.map((grad) => toArray(grad!)));
    };
    const first = await gradients();
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(4 * heads * tokens * tokens);
    expect(first).toHaveLength(8);
    expect(await gradients()).toEqual(first);
  });

  test("asks for one place of dropout, and drops alike when it is computed again", () => {
    using _scope = device.scope();
    const seen: Shape[] = [];
    let places = 0;
    const dropping: Dropping = () => {
      places++;
      return (input) => {
        seen.push(input.shape);
        return input;
      };
    };
    const at = context();
    const attend = attention(at, 8, 2);
    const input = requireGrad(hashed([3, 5, 8], 1));
    valueAndGradients(() => [attend(input, input, input, { mask: null, dropping })], [input]);
    expect(places).toBe(1);
    expect(seen).toEqual([
      [6, 5, 5],
      [6, 5, 5],
    ]);
  });
});

describe("a linear layer", () => {
  test("begins with Xavier's weights, or others below a bound, and biases of 0 if any", async () => {
    const at = context();
    linear(at, 30, 50);
    linear({ ...at, prefix: "other" }, 30, 50, { bound: 0.01, bias: false });
    expect([...at.weights.parameters.keys()]).toEqual(["net.weight", "net.bias", "other.weight"]);
    const [usual, bias, other] = await Promise.all(
      [...at.weights.parameters.values()].map((tensor) => toArray(tensor)),
    );
    for (const [values, bound] of [
      [usual!, Math.sqrt(6 / 80)],
      [other!, 0.01],
    ] as const) {
      const largest = Math.max(...values.map(Math.abs));
      expect(largest).toBeLessThan(bound);
      expect(largest).toBeGreaterThan(0.99 * bound);
      const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
      expect(variance / (bound * bound)).toBeCloseTo(1 / 3, 1);
    }
    expect(bias).toEqual(new Float32Array(50));
    at.weights.release();
  });

  test.each([true, false])("gives nearly the same in half precision, bias %s", async (bias) => {
    if (!device.gpu.features.has("shader-f16")) return;
    using _scope = device.scope({ awaits: true });
    const at = context();
    const layer = linear(at, 12, 9, { bias });
    const input = hashed([2, 5, 12], 7);
    const full = await toArray(layer(input, "relu"));
    at.weights.freeze("f16");
    const output = layer(input, "relu");
    expect([output.dtype, output.shape]).toEqual(["f32", [2, 5, 9]]);
    const half = await toArray(output);
    expect(half).not.toEqual(full);
    half.forEach((x, i) => expect(Math.abs(x - full[i]!)).toBeLessThan(2e-2));
  });
});

test("a layer norm begins as the identity on normed rows", async () => {
  using _scope = device.scope({ awaits: true });
  const at = context();
  const norm = layerNorm(at, 4);
  const row = [1, -1, 1, -1];
  const got = await toArray(norm(fromArray(device, [1, 4], Float32Array.from(row))));
  got.forEach((x, i) => expect(x).toBeCloseTo(row[i]!, 4));
  expect([...at.weights.parameters.keys()]).toEqual(["net.affine"]);
});
