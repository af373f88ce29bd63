// A coreset that is chosen among some of each image's cells, where all would be too many, and one that adds to a bank.
import { describe, expect, test } from "vitest";
import { Coreset, planCoreset } from "../../../src/methods/parts/coreset.ts";
import { multiply, scalar } from "../../../src/ops/elementwise.ts";
import { empty, fromArray, release, toArray } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";

const [IMAGES, SIDE, CELLS_OF_IMAGE, SEED] = [5, 4, 6, 9];
const ROWS = IMAGES * CELLS_OF_IMAGE;

/** Cells that say which they are: [image, cell]. */
const features = {
  count: IMAGES,
  batch: (indices: readonly number[]) => {
    const values = indices.flatMap((image) => Array.from({ length: SIDE * SIDE }, (_, cell) => [image, cell]).flat());
    return Promise.resolve(fromArray(device, [indices.length, SIDE, SIDE, 2], Float32Array.from(values)));
  },
};

/** The rows that are kept, as "image,cell", sorted. */
async function kept(batch: number, seed = SEED, factor = 1): Promise<string[]> {
  const bank = empty(device, [ROWS, 2]);
  const coreset = new Coreset(bank, features, seed, {
    owner: "test",
    cellsOfImage: CELLS_OF_IMAGE,
    projection: 0,
    batch,
    titles: { bank: "bank", coreset: "coreset" },
    prepared: (cells) => multiply(cells, scalar(device, factor)),
  });
  expect(coreset.remaining).toEqual(planCoreset(ROWS, batch, IMAGES));
  for await (const _step of coreset.steps());
  const values = await toArray(bank);
  release(bank);
  return Array.from({ length: ROWS }, (_, row) => `${values[2 * row]},${values[2 * row + 1]}`).sort();
}

test("as many different cells of each image, whatever the batch, by the seed", async () => {
  const rows = await kept(2);
  expect(new Set(rows).size).toBe(ROWS);
  for (let image = 0; image < IMAGES; image++)
    expect(rows.filter((row) => row.startsWith(`${image},`))).toHaveLength(CELLS_OF_IMAGE);
  const places = new Set(
    Array.from({ length: IMAGES }, (_, image) =>
      rows
        .filter((row) => row.startsWith(`${image},`))
        .map((row) => row.split(",")[1])
        .join(),
    ),
  );
  expect(places.size).toBeGreaterThan(1); // not the same ones of every image
  expect(await kept(3)).toEqual(rows);
  expect(await kept(2, SEED + 1)).not.toEqual(rows);
});

test("cells are kept as they are prepared", async () => {
  const doubled = (await kept(2)).map((row) =>
    row
      .split(",")
      .map((value) => 2 * Number(value))
      .join(),
  );
  expect(await kept(2, SEED, 2)).toEqual(doubled.sort());
});

describe("a bank that keeps rows", () => {
  const KEPT = [
    [0, 0],
    [100, 100],
    [2, 7],
  ] as const;
  const OPTIONS = { owner: "test", cellsOfImage: SIDE * SIDE, batch: 2, titles: { bank: "bank", coreset: "coreset" } };
  const rows = KEPT.length + 70;

  /** The kept rows, and behind them their first one. */
  const begun = () =>
    fromArray(device, [rows, 2], Float32Array.from(Array.from({ length: rows }, (_, i) => KEPT[i] ?? KEPT[0]).flat()));
  const coresetOf = (bank: ReturnType<typeof begun>, projection: number) =>
    new Coreset(bank, features, SEED, { ...OPTIONS, projection, kept: KEPT.length });
  const readRows = async (bank: ReturnType<typeof begun>): Promise<number[][]> => {
    const values = await toArray(bank);
    return Array.from({ length: rows }, (_, i) => [values[2 * i]!, values[2 * i + 1]!]);
  };

  test("gets the cells that are farthest from those and from one another, one after another", async () => {
    const bank = begun();
    const coreset = coresetOf(bank, 0);
    expect(coreset.remaining).toEqual([
      { stage: "bank", steps: 3 },
      { stage: "coreset", steps: 2 },
    ]);
    for await (const _step of coreset.steps());
    const wanted: number[][] = KEPT.map((row) => [...row]);
    const cells = Array.from({ length: IMAGES * SIDE * SIDE }, (_, i) => [Math.floor(i / 16), i % 16]);
    const left = new Set(cells);
    while (wanted.length < rows) {
      const distance = (cell: readonly number[]): number =>
        Math.min(...wanted.map(([x, y]) => (cell[0]! - x!) ** 2 + (cell[1]! - y!) ** 2));
      const farthest = [...left].reduce((best, cell) => (distance(cell) > distance(best) ? cell : best));
      left.delete(farthest);
      wanted.push(farthest);
    }
    expect(await readRows(bank)).toEqual(wanted);
    release(bank);
  });

  test("is the same after a pause in either stage, with a projection too", async () => {
    for (const projection of [0, 1]) {
      const whole = begun();
      for await (const _step of coresetOf(whole, projection).steps());
      const { bytes } = device.memory();
      for (const pause of [1, 3, 4]) {
        const bank = begun();
        const first = coresetOf(bank, projection);
        let taken = 0;
        for await (const _step of first.steps()) if (++taken === pause) break;
        const state = await first.state();
        first.release();
        const second = coresetOf(bank, projection);
        second.restore(state);
        for await (const _step of second.steps());
        expect(await readRows(bank)).toEqual(await readRows(whole));
        release(bank);
        expect(device.memory().bytes).toBe(bytes);
      }
      release(whole);
    }
  });
});
