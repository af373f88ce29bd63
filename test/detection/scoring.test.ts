import { expect, test } from "vitest";
import { imageScores } from "../../src/detection/scoring.ts";
import type { Scoring } from "../../src/methods/method.ts";
import { fromArray, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";

const [SIZE, CELLS, BATCH] = [56, 7, 3];
const SHARE = 0.02;
const random = rng(6);
const cells = Float32Array.from({ length: BATCH * CELLS ** 2 }, () => random() ** 4);
const other = Float32Array.from({ length: BATCH * CELLS ** 2 }, () => random() ** 4);
/** The left third counts in the second image, five pixels in the third, all in the first. */
const counted = Float32Array.from({ length: BATCH * SIZE ** 2 }, (_, i) => {
  const at = i % SIZE ** 2;
  return [true, at % SIZE < SIZE / 3, at < 5][Math.floor(i / SIZE ** 2)] ? 1 : 0;
});

/** Maps, scores and peaks of the cells. */
function scored(image: Scoring["image"], { within = false, apart = false } = {}) {
  using _scope = device.scope();
  const tensor = (values: Float32Array) => fromArray(device, [BATCH, CELLS, CELLS], values);
  const { map, score, peak } = imageScores(
    { map: tensor(cells), ...(apart && { image: tensor(other) }) },
    { alignCorners: false, smoothing: { kind: "gaussian", sigma: 4 }, image },
    SIZE,
    within ? fromArray(device, [BATCH, SIZE, SIZE, 1], counted) : null,
  );
  return Promise.all([map, score, peak].map((one) => toArray(one))) as Promise<
    [Float32Array, Float32Array, Float32Array]
  >;
}

/** The mean of the largest values of each map, as many as there are or so many of them. */
const topMeans = (maps: Float32Array, most: number, weights: Float32Array | null): number[] =>
  Array.from({ length: BATCH }, (_, n) => {
    const pixels = Array.from(maps.subarray(n * SIZE ** 2, (n + 1) * SIZE ** 2)).filter(
      (_value, i) => weights?.[n * SIZE ** 2 + i] !== 0,
    );
    const top = pixels.sort((a, b) => b - a).slice(0, most);
    return top.reduce((sum, value) => sum + value, 0) / top.length;
  });

const expectClose = (got: Float32Array, want: readonly number[]): void =>
  want.forEach((value, i) => expect(got[i]! / value).toBeCloseTo(1, 5));

test.each([false, true])(
  "the image's score is the map's largest value, or the mean of a share; a part counts: %s",
  async (within) => {
    const weights = within ? counted : null;
    const [maps, largest, peaks] = await scored({ kind: "max" }, { within });
    expectClose(largest, topMeans(maps, 1, weights));
    expect(largest).toEqual(peaks);
    const [, top] = await scored({ kind: "topShare", share: SHARE }, { within });
    expectClose(top, topMeans(maps, Math.round(SHARE * SIZE ** 2), weights));
    const [, all] = await scored({ kind: "topShare", share: 1 }, { within });
    expectClose(all, topMeans(maps, SIZE ** 2, weights));
    const [, one] = await scored({ kind: "topShare", share: 1e-9 }, { within });
    expect(one).toEqual(largest);
  },
);

test("where a model has cells of its own for the image's score, it is made of them alone", async () => {
  for (const kind of [{ kind: "max" }, { kind: "topShare", share: SHARE }] as const) {
    const [map, score] = await scored(kind, { apart: true });
    const [own, plain] = await scored(kind);
    expect(map).toEqual(own);
    expect(score).not.toEqual(plain);
  }
});
