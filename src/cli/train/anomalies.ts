import { join } from "node:path";
import type { AnomalousImage } from "../../detection/marked_cells.ts";
import { decodeMask } from "../../node/images.ts";
import { InputError } from "../../runtime/errors.ts";
import { openDataset, readableImages } from "../dataset.ts";
import { say } from "../terminal/say.ts";

/**
 * The defective test images of a dataset that have masks, to learn from.
 * @throws InputError if it is no dataset, or has none; while they are read, at the first that cannot be if `strict`
 */
export async function readAnomalies(root: string, strict: boolean): Promise<AsyncGenerator<AnomalousImage>> {
  const { classes, layout } = await openDataset(root, undefined, strict, false);
  const items = classes.flatMap(({ test }) => test).filter(({ defective, masks }) => defective && masks.length > 0);
  if (items.length === 0)
    throw new InputError(
      `${root} has no defective images with masks to learn from, read as ${layout.format}: ${layout.rule}`,
    );
  say(`${items.length} defective images of ${root} are trained on: do not evaluate on these images`);
  return (async function* () {
    for await (const { item, image } of readableImages(items, ({ path }) => join(root, path), {
      strict,
      inParts: false,
    })) {
      const masks = await Promise.all(item.masks.map((path) => decodeMask(join(root, path))));
      yield { name: join(root, item.path), image, masks };
    }
  })();
}
