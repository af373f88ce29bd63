// A coreset that is chosen among some of each image's cells, where all would be too many.
import { expect, test } from "vitest";
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
