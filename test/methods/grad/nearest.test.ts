// The form whose maps are distances to good cells, weighed by both grids, as float64 has them.
import { expect, test } from "vitest";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import { grad } from "../../../src/methods/grad/method.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import { surroundings } from "../../../src/methods/grad/nearest.ts";
import { GRAD_OPTIONS, type GradOptions } from "../../../src/methods/grad/options.ts";
import type { Fit } from "../../../src/methods/method.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { concat } from "../../../src/ops/shape.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, release, toArray, zeros, type Tensor } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { CELLS, CHANNELS, images, source, VARIANCE } from "../../harness/smooth_features.ts";

const [IMAGES, ROWS, SEED] = [3, 20, 5];
const SPEC = { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE, images: IMAGES };
const BRIEF: GradOptions = {
  decoder: "tiny",
  rows: ROWS,
  epochsAbnormal: 1,
  epochsNormal: 1,
  leastAbnormal: 3,
  leastNormal: 3,
};

async function fitted(given: GradOptions): Promise<Fit> {
  const options = resolveOptions("grad", GRAD_OPTIONS, { ...BRIEF, ...given });
  const fit = grad.begin(grad.configure(SPEC, options), options, {
    weights: Weights.drawn(device),
    features: source(IMAGES),
    anomalies: null,
    std: fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(1)),
    seed: SEED,
  });
  for await (const _step of fit.steps());
  return fit;
}

async function read(make: () => readonly Tensor[]): Promise<Float64Array[]> {
  const reads = device.tidy(() => make().map((tensor) => toArray(tensor)));
  return (await Promise.all(reads)).map((values) => Float64Array.from(values));
}

const sum = (n: number, term: (i: number) => number): number =>
  Array.from({ length: n }, (_, i) => term(i)).reduce((total, value) => total + value, 0);

/** Similarity and error of a cell and its reconstruction. */
function compared(
  a: Float64Array,
  r: Float64Array,
  threshold: number,
): { readonly unlike: number; readonly error: number } {
  const squares = sum(CHANNELS, (c) => (a[c]! - r[c]!) ** 2);
  const length = (x: Float64Array): number => Math.max(1e-8, Math.sqrt(sum(CHANNELS, (c) => x[c]! ** 2)));
  const cosine = sum(CHANNELS, (c) => a[c]! * r[c]!) / (length(a) * length(r));
  return { unlike: 1 - (0.3 * Number(squares / CHANNELS <= threshold) + 0.7 * cosine), error: Math.sqrt(squares) };
}

/** Cells of the same image in the 3 x 3 around one, itself among them. */
function neighboursOf(cell: number): readonly number[] {
  const [x, y] = [cell % CELLS, Math.floor(cell / CELLS) % CELLS];
  const found: number[] = [];
  for (let down = -1; down <= 1; down++)
    for (let right = -1; right <= 1; right++)
      if (x + right >= 0 && x + right < CELLS && y + down >= 0 && y + down < CELLS)
        found.push(cell + down * CELLS + right);
  return found;
}

test.each<readonly [string, GradOptions, number]>([
  ["both grids, weak", {}, 0.5],
  ["both grids, strong", { weighing: "strong" }, 1.5],
  ["the normal grid alone, with rows", { branches: "normal", weighing: "strong" }, 1.5],
])("map and image of %s", async (_what, options, power) => {
  const { model } = await fitted(options);
  const config = model.config as unknown as ReturnType<typeof gradConfig>;
  const kept = new Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>();
  for (const [name, tensor] of model.weights.all())
    kept.set(name, { shape: tensor.shape, data: await toArray(tensor) });
  const twin = new Grad(Weights.stored(device, kept, "model"), config, new RandomStream(0, 0));
  const features = concat(images(IMAGES + 2).slice(IMAGES), 0); // that it has not seen
  const [seen, around, bank, ...reconstructions] = await read(() => [
    features,
    surroundings(features),
    model.weights.states.get("rows")!,
    ...twin.reconstructions(features),
  ]);
  expect(reconstructions.length).toBe(options.branches === "normal" ? 1 : 2);
  const { map, image } = model.score(features);
  const [maps, cells] = await Promise.all([toArray(map), toArray(image!)]);
  for (const used of [map, image!, features]) release(used);
  twin.weights.release();
  const cellOf = (values: Float64Array, cell: number) => values.subarray(cell * CHANNELS, (cell + 1) * CHANNELS);
  expect(maps.length).toBe(2 * CELLS * CELLS);
  const mean = (values: readonly number[]): number =>
    values.reduce((product, value) => product * value, 1) ** (1 / values.length);
  const weights = Array.from(maps, (_, cell) => {
    const each = reconstructions.map((r) => compared(cellOf(seen!, cell), cellOf(r, cell), config.similarityThreshold));
    return [mean(each.map(({ unlike }) => unlike)), mean(each.map(({ unlike, error }) => unlike * error))] as const;
  });
  for (let cell = 0; cell < maps.length; cell++) {
    const squared = Array.from({ length: ROWS }, (_, row) =>
      sum(CHANNELS, (c) => (cellOf(around!, cell)[c]! - cellOf(bank!, row)[c]!) ** 2),
    );
    const distance = Math.sqrt(Math.min(...squared));
    const near = neighboursOf(cell).map((neighbour) => weights[neighbour]!);
    const [unlike, refined] = [0, 1].map((i) => near.reduce((total, each) => total + each[i]!, 0) / near.length);
    expect(maps[cell]! / (unlike! ** power * distance)).toBeCloseTo(1, 3);
    expect(cells[cell]! / (refined! ** 0.25 * distance)).toBeCloseTo(1, 3);
  }
  model.weights.release();
});

test("rows are surroundings of good cells, all different, and at most half of all", async () => {
  const { model } = await fitted({ rows: 1 << 16 });
  const { rows } = model.config as { readonly rows: number };
  expect(rows).toBe(Math.ceil((IMAGES * CELLS * CELLS) / 2));
  const features = concat(images(IMAGES), 0);
  const [around, bank] = await read(() => [surroundings(features), model.weights.states.get("rows")!]);
  release(features);
  const textOf = (values: Float64Array): string[] =>
    Array.from({ length: values.length / CHANNELS }, (_, row) =>
      values.subarray(row * CHANNELS, (row + 1) * CHANNELS).join(),
    );
  const [all, kept] = [new Set(textOf(around!)), new Set(textOf(bank!))];
  expect(kept.size).toBe(rows);
  for (const row of kept) expect(all.has(row)).toBe(true);
  model.weights.release();
});

test("the abnormal grid learns to restore what was under pasted blocks", async () => {
  const config = gradConfig(SPEC, { ...BRIEF, rows: 0 });
  expect(config.abnormalTask).toBe("restore");
  const losses: number[] = [];
  const options = resolveOptions("grad", GRAD_OPTIONS, { ...BRIEF, leastAbnormal: 120, leastNormal: 1 });
  const fit = grad.begin(grad.configure(SPEC, options), options, {
    weights: Weights.drawn(device),
    features: source(IMAGES),
    anomalies: null,
    std: zeros(device, [CHANNELS]),
    seed: SEED,
  });
  for await (const { stage, loss } of fit.steps()) if (stage === "abnormal" && loss !== null) losses.push(loss);
  expect(losses.length).toBeGreaterThan(5);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  fit.model.weights.release();
});
