import { describe, expect, test } from "vitest";
import { multiply } from "../../src/ops/elementwise.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { anomalyMap, cosinePairLoss, hingeLoss, mseLoss, reconstructionLoss } from "../../src/ops/losses.ts";
import { empty, fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { expectClose } from "../harness/close.ts";
import { device } from "../harness/device.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { lossOperations } from "../operations/losses.ts";
import * as reference from "../reference/losses.ts";

for (const operation of lossOperations) describeOperation(operation);

describe("the anomaly map", () => {
  const [positions, channels, threshold] = [40, 12, 0.6];

  test("is (1 - s) |r - a|", async () => {
    const random = rng(12);
    const values = () => Float32Array.from({ length: positions * channels }, () => 2 * random() - 1);
    const [a, r] = [values(), values()];
    const got = await toArray(
      anomalyMap(fromArray(device, [5, 8, channels], a), fromArray(device, [5, 8, channels], r), { threshold }),
    );
    const want = reference.refine({ channels, threshold }, a, r).map(({ distance, s }) => (1 - s) * distance);
    expectClose(
      got,
      want,
      want.map(() => 8),
      32 + channels,
    );
  });

  test("is zero for a perfect reconstruction, and finite where there is nothing to compare", async () => {
    const zero = fromArray(device, [2, 4], new Float32Array(8));
    const ones = fromArray(device, [2, 4], new Float32Array(8).fill(1));
    const perfect = await toArray(anomalyMap(ones, ones, { threshold }));
    for (const value of perfect) expect(value).toBe(0);
    expect(await toArray(anomalyMap(zero, zero, { threshold }))).toEqual(new Float32Array(2));
    // cos 0, not similar
    expect(await toArray(anomalyMap(ones, zero, { threshold }))).toEqual(new Float32Array(2).fill(2));
  });

  // |a| = 3, so a mean squared error of 9/4 for r = 2a and of 9 for r = -a: exact in f32, as is the cosine up to
  // rounding.
  test.each([
    ["parallel, at the threshold: wholly similar", 2, 2.25, 0],
    ["parallel, beyond the threshold", 2, 2.2499, 0.3 * 3],
    ["opposite, beyond the threshold", -1, 8, 1.7 * 6],
    ["opposite, within the threshold", -1, 9, 1.4 * 6],
  ])("%s", async (_what, factor, within, want) => {
    const a = Float32Array.of(1, 2, 2, 0);
    const [target, given] = [a, a.map((x) => factor * x)].map((values) => fromArray(device, [1, 4], values)) as [
      Tensor,
      Tensor,
    ];
    expect((await toArray(anomalyMap(target, given, { threshold: within })))[0]).toBeCloseTo(want, 5);
    const loss = await toArray(reconstructionLoss(target, given, { threshold: within }));
    expect(loss[0]).toBeCloseTo(want ** 2 / 4, 4); // (1 - s)^2 mse, and mse = distance^2 / C
  });

  // Norms are clamped at 1e-8: below it, cos = a.r / (|a| 1e-8) is linear in r. With a of length 1, mse is 1/4 to the
  // last bit.
  test.each([
    ["zero", 0],
    ["shorter than the clamp", 1e-9],
  ])("has the clamped gradient where the reconstruction is %s", async (_what, length) => {
    const target = fromArray(device, [1, 4], Float32Array.of(1, 0, 0, 0));
    const r = requireGrad(fromArray(device, [1, 4], Float32Array.of(length, 0, 0, 0)));
    const { grads } = valueAndGradients(() => [reconstructionLoss(target, r, { threshold: 10 })], [r]);
    const distance = 1 - (0.3 + (0.7 * length) / 1e-8);
    const want = (2 * distance ** 2 * -1) / 4 - 2 * distance * 0.25 * 0.7 * 1e8;
    const [along, ...across] = await toArray(grads[0]!);
    expect(along! / want).toBeCloseTo(1, 5);
    expect(across.map((x) => x + 0)).toEqual([0, 0, 0]);
  });
});

describe("hingeLoss", () => {
  const run = async (scores: number[], mask: number[], threshold?: number) => {
    const s = requireGrad(fromArray(device, [scores.length], Float32Array.from(scores)));
    const m = fromArray(device, [mask.length], Float32Array.from(mask));
    const { results, grads } = valueAndGradients(() => {
      const { loss, hits } = hingeLoss(s, m, threshold === undefined ? {} : { threshold });
      return [loss, hits];
    }, [s]);
    const [loss, hits, gradient] = await Promise.all(
      [results[0], results[1], grads[0]!].map((tensor) => toArray(tensor)),
    );
    return { loss: loss![0], hits: Array.from(hits!), gradient: Array.from(gradient!, (x) => x + 0) };
  };

  test("averages over the marked and over the others apart, and flattens beyond the threshold", async () => {
    // marked: 1 is beyond, 0 falls short by .5; others: -1 is beyond, 0.25 falls short by .75, -.5 is just enough
    expect(await run([1, 0, -1, 0.25, -0.5], [1, 1, 0, 0, 0])).toEqual({
      loss: Math.fround(0.5 / 2 + Math.fround(0.75 / 3)),
      hits: [0.5, Math.fround(2 / 3)],
      gradient: [0, -0.5, 0, Math.fround(1 / 3), 0],
    });
  });

  test("counts a score at the threshold as a hit, on either side, and does not push it further", async () => {
    expect(await run([0.5, -0.5], [1, 0])).toEqual({ loss: 0, hits: [1, 1], gradient: [0, 0] });
    expect(await run([0.25, -0.25], [1, 0], 0.25)).toEqual({ loss: 0, hits: [1, 1], gradient: [0, 0] });
  });

  test("has a gradient in proportion to what comes after it", async () => {
    const scores = requireGrad(fromArray(device, [2], Float32Array.of(0, 0)));
    const mask = fromArray(device, [2], Float32Array.of(1, 0));
    const eight = fromArray(device, [1], Float32Array.of(8));
    const { grads } = valueAndGradients(() => [multiply(hingeLoss(scores, mask).loss, eight)], [scores]);
    expect(await toArray(grads[0]!)).toEqual(Float32Array.of(-8, 8));
  });

  test("takes a mean over nothing as nothing", async () => {
    expect(await run([0.25, 0.75], [0, 0])).toEqual({ loss: 1, hits: [1, 0], gradient: [0.5, 0.5] });
    expect(await run([0.25, 0.75], [1, 1])).toEqual({ loss: 0.125, hits: [0.5, 1], gradient: [-0.5, 0] });
  });

  test("sees as many positions as a dispatch does, and not only those whose terms it could", async () => {
    using _scope = device.scope({ awaits: true });
    const count = 2 ** 22 + 1; // eight terms of each would not fit in 128 MiB
    const scores = fromArray(device, [count], new Float32Array(count).fill(0.25));
    const { loss, hits } = hingeLoss(scores, fromArray(device, [count], new Float32Array(count).fill(1)));
    expect(await toArray(loss)).toEqual(Float32Array.of(0.25));
    expect(await toArray(hits)).toEqual(Float32Array.of(0, 1));
  });

  test("does not let one side's endless scores spoil the other's", async () => {
    expect(await run([-Infinity, -1], [0, 0])).toEqual({ loss: 0, hits: [1, 1], gradient: [0, 0] });
    expect((await run([Infinity, -Infinity], [1, 0])).loss).toBe(0);
  });

  test("of nothing is nothing", async () => {
    expect(await run([], [])).toEqual({ loss: 0, hits: [1, 1], gradient: [] });
  });

  test("agrees with its definition on many positions, twice to the same bits", async () => {
    const random = rng(13);
    const scores = Array.from({ length: 5000 }, () => Math.fround(2 * random() - 1));
    const mask = scores.map(() => (random() < 0.03 ? 1 : 0));
    const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
    const want =
      mean(scores.filter((_, i) => mask[i]).map((s) => Math.max(0, 0.5 - s))) +
      mean(scores.filter((_, i) => !mask[i]).map((s) => Math.max(0, 0.5 + s)));
    const got = await run(scores, mask);
    expect(got.loss).toBeCloseTo(want, 5);
    expect(await run(scores, mask)).toEqual(got);
  });
});

test("hits of pairs are those of similar and of other pairs", async () => {
  using _scope = device.scope({ awaits: true });
  const features = fromArray(device, [3, 2], Float32Array.of(1, 0, 2, 0, 0, 1));
  const pairs = fromArray(device, [3, 2], Uint32Array.of(0, 1, 0, 2, 1, 1));
  const { loss, hits } = cosinePairLoss(features, pairs, fromArray(device, [3], Float32Array.of(1, 0, 0)), {
    reduction: "none",
  });
  // cosines 1, 0 and 1
  expect(Array.from(await toArray(loss), (x) => Math.round(1000 * x) / 1000)).toEqual([0, 0.5, 1.5]);
  expect(Array.from(await toArray(hits))).toEqual([1, 0]);
});

describe("losses reject, before any GPU work,", () => {
  const x = (...shape: number[]) => empty(device, shape);
  const whole = (...shape: number[]) => empty(device, shape, "u32");
  test.each<readonly [string, () => unknown, string]>([
    [
      "another shape",
      () => mseLoss(x(2, 3), x(3, 2)),
      "mseLoss: expected target [2,3], got input [2,3] and target [3,2]",
    ],
    [
      "whole numbers",
      () => mseLoss(whole(2), whole(2)),
      "mseLoss: expected input of dtype f32 or f16, it is u32, got input [2] and target [2]",
    ],
    [
      "another reduction",
      () => mseLoss(x(2), x(2), { reduction: "max" as "sum" }),
      "mseLoss: expected reduction to be mean, sum or none, got max",
    ],
    [
      "an unknown option",
      () => mseLoss(x(2), x(2), { reduce: true } as object),
      "mseLoss: unknown option reduce; it takes reduction",
    ],
    [
      "another reconstruction",
      () => reconstructionLoss(x(2, 3), x(2, 4), { threshold: 1 }),
      "reconstructionLoss: expected reconstruction [2,3], got target [2,3] and reconstruction [2,4]",
    ],
    [
      "features without channels",
      () => reconstructionLoss(x(3, 0), x(3, 0)),
      "reconstructionLoss: expected a last axis of at least one channel, got target [3,0] and reconstruction [3,0]",
    ],
    [
      "single numbers",
      () => anomalyMap(x(), x()),
      "anomalyMap: expected a last axis of at least one channel, got target [] and reconstruction []",
    ],
    [
      "another reduction of a hinge",
      () => hingeLoss(x(4), x(4), { reduction: "max" as "sum" }),
      "hingeLoss: expected reduction to be mean, sum or none, got max",
    ],
    [
      "a threshold below zero",
      () => reconstructionLoss(x(2, 3), x(2, 3), { threshold: -1 }),
      "reconstructionLoss: expected a threshold of at least 0, got -1",
    ],
    [
      "a threshold that is no number",
      () => anomalyMap(x(2, 3), x(2, 3), { threshold: NaN }),
      "anomalyMap: expected a threshold of at least 0, got NaN",
    ],
    ["another mask", () => hingeLoss(x(4), x(5)), "hingeLoss: expected mask [4], got scores [4] and mask [5]"],
    [
      "a mask of whole numbers",
      () => hingeLoss(x(4), whole(4)),
      "hingeLoss: expected mask of dtype f32, it is u32, got mask [4]",
    ],
    [
      "an endless threshold",
      () => hingeLoss(x(4), x(4), { threshold: Infinity }),
      "hingeLoss: expected a finite threshold, got Infinity",
    ],
    [
      "features of another rank",
      () => cosinePairLoss(x(2, 2, 3), whole(1, 2), x(1)),
      "cosinePairLoss: expected features [M,C], got features [2,2,3] and pairs [1,2] and similar [1]",
    ],
    [
      "pairs of numbers",
      () => cosinePairLoss(x(2, 3), x(1, 2), x(1)),
      "cosinePairLoss: expected pairs of dtype u32, it is f32, got pairs [1,2]",
    ],
    [
      "triples",
      () => cosinePairLoss(x(2, 3), whole(1, 3), x(1)),
      "cosinePairLoss: expected pairs [K,2], got features [2,3] and pairs [1,3] and similar [1]",
    ],
    [
      "an unknown option of pairs",
      () => cosinePairLoss(x(2, 3), whole(4, 2), x(4), { margin: 1 } as object),
      "cosinePairLoss: unknown option margin; it takes threshold, reduction",
    ],
    [
      "another number of labels",
      () => cosinePairLoss(x(2, 3), whole(4, 2), x(3)),
      "cosinePairLoss: expected similar [4], got features [2,3] and pairs [4,2] and similar [3]",
    ],
  ])("%s", (_what, attempt, message) => {
    const before = device.counters().dispatches;
    expect(attempt).toThrow(message);
    expect(device.counters().dispatches).toBe(before);
  });
});
