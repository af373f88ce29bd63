import { InputError } from "../../runtime/errors.ts";
import { forEach } from "../at_a_time.ts";
import type { SkippedPath } from "../item.ts";
import { folded, stemOf, uniqueBy, type FileTree } from "../tree.ts";
import { defectItem, goodItem, readingOf, TEST, TRAIN } from "./by_folders.ts";
import type { Layout } from "./layout.ts";

const LEAST = 2; // photographs with masks, from which a folder is read so
const HELD_OUT = 3; // without train and test, every third folder's good images are for testing

/**
 * KolektorSDD and KolektorSDD2: each photograph has its mask beside it, which is black if the photograph is good.
 * @see https://www.vicos.si/resources/kolektorsdd/
 */
export const kolektor: Layout = {
  format: "kolektor",
  title: "photographs with their masks beside them, as KolektorSDD's",
  rule:
    "NAME_label.bmp or NAME_GT.png beside each image: where the defect is, all black for a good one; train and test: what to learn from and what to test, " +
    "defective images in train are left alone; without these folders the good images of every third folder, and all defective ones, are for testing",
  fits: (tree) => {
    const { pairs, others } = pairsOf(tree);
    return pairs.length >= LEAST && others.length === 0;
  },
  async read(tree, { isBlack }) {
    const { pairs } = pairsOf(tree);
    const defective = new Set<string>();
    const missing = new Map<string, SkippedPath>();
    await forEach(pairs, async ({ path, mask }) => {
      try {
        if (!(await isBlack(mask))) defective.add(path);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        missing.set(path, { path, reason: `its mask ${mask} cannot be read: ${error.message}` });
      }
    });
    const [training, testing] = [TRAIN, TEST].map((names) => tree.find("", names));
    const isSplit = training !== null || testing !== null;
    const places = [...new Set(pairs.map(({ path }) => placeOf(path)))];
    const isHeldOut = (path: string, nth: number): boolean =>
      isSplit
        ? testing !== null && path.startsWith(`${testing}/`)
        : (places.length > 1 ? places.indexOf(placeOf(path)) : nth) % HELD_OUT === HELD_OUT - 1;
    const known = pairs
      .filter(({ path }) => !missing.has(path))
      .map((pair, nth) => ({ ...pair, isGood: !defective.has(pair.path), test: isHeldOut(pair.path, nth) }));
    const tested = known.filter(({ isGood, test }) => test || (!isSplit && !isGood));
    const learnt = known.filter((pair) => !tested.includes(pair));
    return {
      ...readingOf([]),
      classes: [
        {
          name: tree.name,
          train: learnt.filter(({ isGood }) => isGood).map(({ path }) => goodItem(path)),
          test: tested.map(({ path, mask, isGood }) => (isGood ? goodItem(path) : defectItem(path, "defect", [mask]))),
        },
      ],
      masks: pairs.map(({ mask }) => mask),
      aside: learnt.filter(({ isGood }) => !isGood).map(({ path }) => path),
      companions: known.filter((pair) => pair.isGood || learnt.includes(pair)).map(({ mask }) => mask),
      missing: [...missing.values()],
    };
  },
};

const placeOf = (path: string): string => path.slice(0, path.lastIndexOf("/") + 1);

/** Photographs with the mask beside each, and images that are neither. */
function pairsOf(tree: FileTree): {
  readonly pairs: readonly { readonly path: string; readonly mask: string }[];
  readonly others: readonly string[];
} {
  const isMask = (path: string): boolean => /_(?:gt|label)$/i.test(stemOf(path));
  const byName = uniqueBy(tree.images.filter(isMask), (path) => folded(stemOf(path).replace(/_(?:gt|label)$/i, "")));
  const photographs = tree.images.filter((path) => !isMask(path));
  const pairs = photographs.flatMap((path) => {
    const mask = byName.get(folded(stemOf(path)));
    return mask ? [{ path, mask }] : [];
  });
  const used = new Set(pairs.flatMap(({ path, mask }) => [path, mask]));
  return { pairs, others: tree.images.filter((path) => !used.has(path)) };
}
