import { InputError } from "../runtime/errors.ts";
import { LEAST_SIDE, type Size } from "../io/placement.ts";
import type { Dataset, DatasetClass, Item } from "./dataset.ts";
import type { MaskFacts, PictureFacts, PictureReader } from "./picture_facts.ts";
import { forEach } from "./at_a_time.ts";
import { about, finding, type Finding } from "./finding.ts";
import { layoutFindings, leftOut } from "./layout_findings.ts";
import { narrowRange } from "./sample_range.ts";
import { byCodeUnits, images } from "./tree.ts";

export type { Finding } from "./finding.ts";

/** Contents of one class. */
export interface ClassSurvey {
  readonly name: string;
  /** Number of good images to train on. */
  readonly train: number;
  readonly testGood: number;
  readonly testDefective: number;
  /** Number of defective test images of each kind. */
  readonly defects: Readonly<Record<string, number>>;
  /** Number of mask files that belong to an image. */
  readonly masks: number;
  /** Smallest and largest by area, and the most frequent; null if no image could be read. */
  readonly sizes: {
    readonly smallest: Size;
    readonly largest: Size;
    readonly commonest: Size & { readonly count: number };
    readonly distinct: number;
  } | null;
  /** Number of images of each file format and each mode, the most frequent first. */
  readonly formats: Readonly<Record<string, number>>;
  readonly modes: Readonly<Record<string, number>>;
}

/** Contents of a dataset's files, and what looks wrong. */
export interface Survey {
  readonly classes: readonly ClassSurvey[];
  /** Problems first. */
  readonly findings: readonly Finding[];
}

const FEW_GOOD = 10;
const USUAL_SIDE = 224; // pixels that images are resized to, unless told otherwise
const LARGE = 4 * USUAL_SIDE; // beyond it what has a few pixels vanishes
const SHAPE_SLACK = 0.02; // relative difference of aspect ratios that rounding a smaller mask's sides can cause

/** Number of files that `surveyDataset` reads. */
export const fileCount = ({ classes }: Dataset): number =>
  classes.reduce(
    (sum, { train, test }) => sum + train.length + test.reduce((count, { masks }) => count + 1 + masks.length, 0),
    0,
  );

/** Options of looking at a dataset's files. */
export interface SurveyOptions {
  /** Ends it after a file: the signal's reason is thrown. */
  readonly signal?: AbortSignal | null | undefined;
  /** Called after each file. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/**
 * Reads every file of a dataset and reports sizes and formats of images, contents of masks, and what looks wrong.
 */
export async function surveyDataset(
  dataset: Dataset,
  reader: PictureReader,
  { signal = null, onProgress = () => undefined }: SurveyOptions = {},
): Promise<Survey> {
  signal?.throwIfAborted();
  const total = fileCount(dataset);
  let done = 0;
  const items = dataset.classes.flatMap(({ train, test }) => [...train, ...test]);
  const facts = new Map<string, PictureFacts>();
  const masks = new Map<string, MaskFacts>();
  const unreadable = new Map(dataset.unreadable.map(({ path, reason }) => [path, reason]));
  const look = async <T>(path: string, found: Map<string, T>, read: (path: string) => Promise<T>): Promise<void> => {
    try {
      found.set(path, await read(path));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      unreadable.set(path, error.message);
    }
    onProgress({ done: ++done, total });
    signal?.throwIfAborted();
  };
  await forEach(items, ({ path }) => look(path, facts, (path) => reader.facts(path)));
  await forEach(
    items.flatMap(({ masks }) => masks),
    (path) => look(path, masks, (path) => reader.mask(path)),
  );
  const findings = [
    unreadableFiles(unreadable),
    ...dataset.classes.flatMap((found) => classFindings(found, facts)),
    ...maskFindings(dataset, facts, masks),
    trainedOn(await equalImages(dataset.classes, facts, reader)),
    ...layoutFindings(dataset),
    ...leftOut(dataset),
  ].filter((finding) => finding !== null);
  const rank = ({ severity }: Finding): number => (severity === "problem" ? 0 : 1);
  return {
    classes: dataset.classes.map((found) => classSurvey(found, facts)),
    findings: findings.sort((a, b) => rank(a) - rank(b)),
  };
}

function classSurvey({ name, train, test }: DatasetClass, facts: ReadonlyMap<string, PictureFacts>): ClassSurvey {
  const found = [...train, ...test].flatMap(({ path }) => facts.get(path) ?? []);
  const defective = test.filter((item) => item.defective);
  const bySize = [...found].sort((a, b) => a.width * a.height - b.width * b.height || a.width - b.width);
  const counts = Object.entries(counted(found.map(({ width, height }) => `${width}x${height}`)));
  const sizeOf = ({ width, height }: Size): Size => ({ width, height });
  const [common] = counts;
  const [width, height] = (common?.[0] ?? "0x0").split("x").map(Number) as [number, number];
  return {
    name,
    train: train.length,
    testGood: test.length - defective.length,
    testDefective: defective.length,
    defects: Object.fromEntries(
      Object.entries(counted(defective.map(({ defect }) => defect))).sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    masks: test.reduce((sum, { masks }) => sum + masks.length, 0),
    sizes: common
      ? {
          smallest: sizeOf(bySize[0]!),
          largest: sizeOf(bySize.at(-1)!),
          commonest: { width, height, count: common[1] },
          distinct: counts.length,
        }
      : null,
    formats: counted(found.map(({ format }) => format)),
    modes: counted(found.map(({ mode }) => mode)),
  };
}

/** Counts of each word, the most frequent first. */
function counted(words: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

const pathsOf = (items: readonly Item[]): string[] => items.map(({ path }) => path);

function unreadableFiles(unreadable: ReadonlyMap<string, string>): Finding | null {
  const paths = [...unreadable].map(([path, reason]) => `${path}: ${reason}`).sort(byCodeUnits);
  const advice = "they are left out, or end a strict run; replace or remove them";
  return about(
    paths,
    "problem",
    "unreadable",
    ["file or folder cannot be read", "files or folders cannot be read"],
    advice,
  );
}

/** Findings from a class's own images. */
function classFindings(
  { name, train, test }: DatasetClass,
  facts: ReadonlyMap<string, PictureFacts>,
): (Finding | null)[] {
  const items = [...train, ...test];
  const isSmall = ({ path }: Item): boolean => {
    const { width, height } = facts.get(path) ?? { width: Infinity, height: Infinity };
    return Math.min(width, height) < LEAST_SIDE;
  };
  const modes = Object.entries(counted(items.flatMap(({ path }) => facts.get(path)?.mode ?? [])));
  const narrow = narrowRange(items.flatMap(({ path }) => facts.get(path)?.sampleHigh ?? []));
  const defective = test.filter((item) => item.defective);
  const bare = defective.filter(({ masks }) => masks.length === 0);
  const none = bare.length === defective.length;
  const withoutMask = none
    ? `none of the ${defective.length} defective images has a mask`
    : `${bare.length} of ${defective.length} defective images have no mask`;
  const tests = test.length > 0;
  return [
    about(
      pathsOf(items.filter(isSmall)),
      "problem",
      "too-small",
      [`image has a side of less than ${LEAST_SIDE} pixels`, `images have a side of less than ${LEAST_SIDE} pixels`],
      "left out",
      `${name}: `,
    ),
    finding(
      train.length < FEW_GOOD,
      "problem",
      "few-good",
      `${name}: only ${images(train.length)} to learn from`,
      `a model trained on so few calls many good images defective; use at least ${FEW_GOOD}, better 100 or more`,
    ),
    finding(
      modes.length > 1,
      "remark",
      "mixed-modes",
      `${name}: images are ${modes.map(([mode, count]) => `${mode} (${count})`).join(", ")}`,
      "all are turned to colour; if good and defective ones differ in this, a model can tell them apart by it",
    ),
    largeImages(name, items, facts),
    narrow && finding(true, "problem", "narrow-range", `${name}: ${narrow.message}`, narrow.advice),
    finding(
      bare.length > 0,
      none ? "remark" : "problem",
      "mask-missing",
      `${name}: ${withoutMask}`,
      "pixel metrics leave them out; image metrics need no mask",
      pathsOf(bare),
    ),
    finding(!tests, "remark", "no-test", `${name}: no test images`, "enough to train and to predict; eval needs some"),
    finding(
      tests && defective.length === test.length,
      "remark",
      "no-test-good",
      `${name}: no good test images`,
      "image AUROC is not defined without them",
    ),
    finding(
      tests && defective.length === 0,
      "remark",
      "no-defects",
      `${name}: no defective test images`,
      "no metric is defined without them",
    ),
  ];
}

/** A remark where most images are much larger than what they are resized to. */
function largeImages(name: string, items: readonly Item[], facts: ReadonlyMap<string, PictureFacts>): Finding | null {
  const sides = items
    .flatMap(({ path }) => facts.get(path) ?? [])
    .map(({ width, height }) => Math.max(width, height))
    .sort((a, b) => a - b);
  const middle = sides[sides.length >> 1] ?? 0;
  return finding(
    middle > LARGE,
    "remark",
    "large-images",
    `${name}: a side of ${middle} pixels is usual, and images are resized to ${USUAL_SIDE}`,
    "if defects are small, train on tiles of them: resized, those of a few pixels vanish",
  );
}

/** Findings about the contents of masks and their match with their images. */
function maskFindings(
  { classes, strayMasks }: Dataset,
  facts: ReadonlyMap<string, PictureFacts>,
  masks: ReadonlyMap<string, MaskFacts>,
): (Finding | null)[] {
  const pairs = classes
    .flatMap(({ test }) => test)
    .flatMap(({ path, masks: own }) =>
      own.map((mask) => ({ path: mask, mask: masks.get(mask), image: facts.get(path) })),
    );
  const maskWhere = (isSo: (mask: MaskFacts) => boolean): string[] =>
    pairs.flatMap(({ path, mask }) => (mask && isSo(mask) ? [path] : []));
  const pairWhere = (isSo: (mask: Size, image: Size) => boolean): string[] =>
    pairs.flatMap(({ path, mask, image }) => (mask && image && isSo(mask, image) ? [path] : []));
  const sameSize = (mask: Size, image: Size): boolean => mask.width === image.width && mask.height === image.height;
  const sameShape = (mask: Size, image: Size): boolean =>
    Math.abs((mask.width * image.height) / (mask.height * image.width) - 1) <= SHAPE_SLACK;
  return [
    about(
      strayMasks,
      "problem",
      "mask-stray",
      ["mask belongs to no test image", "masks belong to no test image"],
      "left out; a mask is found by the name of its image, in the place that the layout prescribes",
    ),
    about(
      maskWhere(({ marked }) => marked === 0),
      "problem",
      "mask-empty",
      ["mask marks nothing", "masks mark nothing"],
      "its image counts as defective, all of its pixels as good; a mask is anything but 0 (black) where the defect is",
    ),
    about(
      maskWhere(({ marked, width, height }) => marked === width * height),
      "problem",
      "mask-full",
      ["mask marks every pixel", "masks mark every pixel"],
      "a mask is 0 (black) where the part is good",
    ),
    about(
      pairWhere((mask, image) => !sameShape(mask, image)),
      "problem",
      "mask-shape",
      ["mask has another shape than its image", "masks have another shape than their images"],
      "it is stretched over the image, and may mark the wrong place",
    ),
    about(
      pairWhere((mask, image) => sameShape(mask, image) && !sameSize(mask, image)),
      "remark",
      "mask-size",
      [
        "mask has another size than its image, of the same shape",
        "masks have another size than their images, of the same shape",
      ],
      "the mask is resized, each pixel to its nearest",
    ),
    about(
      maskWhere(({ format }) => format === "jpeg"),
      "problem",
      "mask-lossy",
      ["mask is a jpg file", "masks are jpg files"],
      "jpg blurs edges, and every pixel that is not 0 counts as marked; png keeps them",
    ),
  ];
}

/** Test images that are byte-identical to a training image, with that image. Only files of equal length are read. */
async function equalImages(
  classes: readonly DatasetClass[],
  facts: ReadonlyMap<string, PictureFacts>,
  reader: PictureReader,
): Promise<[test: string, train: string][]> {
  const lengthOf = ({ path }: Item): number => facts.get(path)?.bytes ?? -1;
  const train = classes.flatMap((found) => found.train).filter(({ path }) => facts.has(path));
  const test = classes.flatMap((found) => found.test).filter(({ path }) => facts.has(path));
  const [trainLengths, testLengths] = [new Set(train.map(lengthOf)), new Set(test.map(lengthOf))];
  const digests = new Map<string, string>();
  const alike = [
    ...train.filter((item) => testLengths.has(lengthOf(item))),
    ...test.filter((item) => trainLengths.has(lengthOf(item))),
  ];
  await forEach(alike, async ({ path }) => void digests.set(path, await reader.digest(path)));
  const learnt = new Map(train.flatMap(({ path }) => (digests.has(path) ? [[digests.get(path)!, path] as const] : [])));
  return test.flatMap(({ path }): [string, string][] => {
    const same = learnt.get(digests.get(path) ?? "");
    return same === undefined ? [] : [[path, same]];
  });
}

function trainedOn(equal: readonly (readonly [test: string, train: string])[]): Finding | null {
  const paths = equal.map(([test, train]) => `${test} = ${train}`);
  const advice = "metrics come out too good; remove them from one of the two";
  return about(
    paths,
    "problem",
    "trained-on",
    ["test image is also a training image", "test images are also training images"],
    advice,
  );
}
