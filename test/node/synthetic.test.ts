import { join } from "node:path";
import { expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { decodeImage, decodeMasks } from "../../src/node/images.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();

test("a synthetic set is read back from its folder, every picture with its own mask", async () => {
  const options = { size: 32, train: 2, good: 1, defective: 1, seed: 5 };
  let made = 0;
  await writeSyntheticSet(folder, { ...options, onPicture: () => void made++ });
  const { classes } = await readDataset(folder);
  expect(classes.map(({ name, train, test: items }) => [name, train.length, items.length])).toEqual([
    ["plate", 2, 4],
    ["weave", 2, 4],
  ]);
  expect(made).toBe(12);
  for (const { name, train, test: items } of classes) {
    const expected = synthesise(options).find((found) => found.name === name)!;
    expect((await decodeImage(join(folder, train[1]!.path))).data).toEqual(expected.train[1]!.rgba);
    for (const { path, defect, masks } of items) {
      const { rgba, mask } = expected.test.find((found) => found.defect === defect)!;
      expect((await decodeImage(join(folder, path))).data).toEqual(rgba);
      expect(
        await decodeMasks(
          masks.map((path) => join(folder, path)),
          32,
          32,
        ),
      ).toEqual(mask);
    }
  }
});
