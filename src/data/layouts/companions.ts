import { formsOf, squeezed } from "../names.ts";
import { baseOf, extensionOf, folded, grouped, stemOf, uniqueBy } from "../tree.ts";

// Images beside photographs in public sets that are not photographs: masks, depth, normals, heat maps, thumbnails. They
// are recognised by names alone: folders (crack/rgb/000.png, crack/gt/000.png), suffixes (Part0.jpg, Part0_label.bmp),
// twins (a.jpg, a.png).

type Kind = "mask" | "other";

// Folders of these names never hold photographs.
const CERTAIN: ReadonlyMap<string, Kind> = kindsOf(
  "mask masks gt groundtruth",
  "xyz pcd heatmap heatmaps anomalymap anomalymaps thumb thumbs thumbnail thumbnails pointcloud pointclouds",
);
// These names may also be subjects of photographs: such a folder, or a name with such a suffix, is a companion only if
// photographs of the same names lie beside it.
const LIKELY: ReadonlyMap<string, Kind> = new Map([
  ...CERTAIN,
  ...kindsOf(
    "label labels annotation annotations annot seg segs segmentation segmentations segmentationclass segmentationobject msk msks",
    "depth depths normals disparity heat overlay overlays contour contours preview previews " +
      "infrared ir nir thermal lidar pred preds prediction predictions",
  ),
]);

/** The kind that a folder's name, or a word of a file's, stands for. */
const kindOf = (name: string): Kind | undefined => LIKELY.get(wordOf(name));

/** The known word that a name is, or its squeezed form. */
const wordOf = (name: string): string => formsOf(name).find((form) => LIKELY.has(form)) ?? squeezed(name);

const LEAST_TWINS = 2;
const LOSSLESS = ["png", "bmp", "dib", "gif"]; // formats that masks are stored in

function kindsOf(masks: string, others: string): ReadonlyMap<string, Kind> {
  const pairs = (words: string, kind: Kind) => words.split(" ").map((word) => [word, kind] as const);
  return new Map([...pairs(masks, "mask"), ...pairs(others, "other")]);
}

/** Images of one folder, each in exactly one of the lists. */
export interface Divided {
  readonly photographs: readonly string[];
  /** Masks beside the photographs, each with its photograph; null if that is ambiguous. */
  readonly masks: readonly (readonly [mask: string, photograph: string | null])[];
  /** Depth, normals, heat maps, thumbnails, ... */
  readonly others: readonly string[];
  /**
   * Those of `photographs` that share a name with another image beside them, with another extension, in another folder
   * or with a word behind it, and those images.
   */
  readonly twins: readonly string[];
}

interface Place {
  readonly path: string;
  /** Folders between that of the kind and the file. */
  readonly folders: readonly string[];
  readonly stem: string;
}

const keyOf = (folders: readonly string[], stem: string): string => folded([...folders, stem].join("/"));

/** A file's place below a folder. */
function placeOf(path: string, folder: string): Place {
  const names = path.slice(folder === "" ? 0 : folder.length + 1).split("/");
  return { path, folders: names.slice(0, -1), stem: stemOf(names.at(-1)!) };
}

// 000_mask, 000.mask, "000 (mask)"; 000mask, partMask; mask_000
const WORD_FORMS = [
  /^(?<base>.*[^\s._-])[\s._-]+\(?(?<said>ground[\s._-]*truth)\)?$/i,
  /^(?<base>.*[^\s._-])[\s._-]+\(?(?<said>[a-z]+)\)?$/i,
  /^(?<base>.*(?:\d|[a-z](?=[A-Z])))(?<said>[A-Za-z]+)$/,
  /^(?<said>ground[\s._-]*truth|[a-z]+)[\s._-]+(?<base>.+)$/i,
];

/** Splits a stem into its base, the word for the file's kind, and that kind: "000_depth" is a depth image of "000". */
function splitStem(stem: string): { readonly base: string; readonly word: string; readonly kind: Kind } | null {
  const [folders, name] = [stem.slice(0, stem.length - baseOf(stem).length), baseOf(stem)];
  for (const form of WORD_FORMS) {
    const { base = "", said = "" } = form.exec(name)?.groups ?? {};
    const word = squeezed(said);
    const kind = LIKELY.get(word);
    if (kind) return { base: folders + base, word, kind };
  }
  return null;
}

/** The stem of a mask's image, derived from the mask's stem: "cut/000" for "cut/000_mask"; null without such a word. */
export function maskedStem(stem: string): string | null {
  const { base = "", kind } = splitStem(stem) ?? {};
  return kind === "mask" ? base : null;
}

/**
 * Divides the images in a folder that names their kind (`train/good`, `test/<defect>`) into photographs and the rest.
 * @param isOneKind true if the folder name applies to all images; otherwise its folders may be different parts that
 *   share file names
 */
export function divide(paths: readonly string[], folder: string, isOneKind: boolean): Divided {
  const places = paths.map((path) => placeOf(path, folder));
  const isNamed = ({ folders }: Place): boolean => folders.some((name) => kindOf(name) !== undefined);
  const unnamed = places.filter((place) => !isNamed(place) && !splitStem(place.stem));
  const others: string[] = isOneKind ? otherViews(unnamed).map(({ path }) => path) : [];
  const views = new Set(others);
  const plain = unnamed.filter(({ path }) => !views.has(path));
  // photographs by the places of their companions: a folder beside theirs, or their own
  const beside = new Map<string, string>();
  for (const { path, folders, stem } of plain) beside.set(keyOf(folders.slice(0, -1), stem), path);
  for (const { path, folders, stem } of plain) beside.set(keyOf(folders, stem), path);
  // 000 of 000_image_4
  const bases = new Set(plain.flatMap(({ folders, stem }) => basesOf(stem).map((base) => keyOf(folders, base))));
  const masks: [string, string | null][] = [];
  const rest = places.filter(({ path, folders, stem }) => {
    if (views.has(path)) return false;
    const split = splitStem(stem);
    const at = folders.findIndex((name) => kindOf(name) !== undefined);
    const word = at < 0 ? split?.word : wordOf(folders[at]!);
    if (word === undefined) return true;
    const place = at < 0 ? folders : [...folders.slice(0, at), ...folders.slice(at + 1)];
    const stems = [...(at < 0 ? [] : [stem]), ...(split ? [split.base] : [])];
    const owner = stems.map((own) => beside.get(keyOf(place, own))).find((own) => own !== undefined) ?? null;
    // "bottle_label" beside "bottle_cap" is a photograph; "000_mask" and "000_depth" beside "000_image_4" are not.
    const isNone =
      at >= 0
        ? CERTAIN.has(word)
        : (CERTAIN.has(word) || LIKELY.get(word) === "other") && bases.has(keyOf(folders, split!.base));
    if (owner === null && !isNone) return true;
    if (LIKELY.get(word) === "mask") masks.push([path, owner]);
    else others.push(path);
    return false;
  });
  return withoutTwins(rest, masks, others, isOneKind);
}

const COLOUR: ReadonlySet<string> = new Set(["rgb", "rgbs", "color", "colour"]);

/** Images beside a folder of colour photographs with the same names, such as infrared or depth. */
function otherViews(places: readonly Place[]): readonly Place[] {
  const isColour = ({ folders }: Place): boolean => folders.length > 0 && COLOUR.has(squeezed(folders[0]!));
  const keyIn = ({ folders, stem }: Place): string => keyOf(folders.slice(1), stem);
  const colour = new Set(places.filter(isColour).map(keyIn));
  return places.filter((place) => !isColour(place) && place.folders.length > 0 && colour.has(keyIn(place)));
}

/**
 * Images that share a name across folders, some of which may not be photographs: folders of one kind rarely share
 * names.
 */
function sameNames(places: readonly Place[], isOneKind: boolean): readonly string[] {
  const repeated = [...grouped(places, ({ stem }) => folded(stem)).values()].filter(
    (own) =>
      new Set(own.map(({ folders }) => folders.join("/"))).size > 1 &&
      (isOneKind ||
        own.some(({ folders }) => folders.length === 0) ||
        new Set(own.map(({ path }) => extensionOf(path))).size > 1),
  );
  return repeated.length >= LEAST_TWINS ? repeated.flatMap((own) => own.map(({ path }) => path)) : [];
}

/** A name with a word of letters behind it: "000_pred", "000-flipped". */
const EXTENDED = /^(?<base>.+)(?<end>[\s._-]\(?\p{L}+\)?)$/u;

/** Images of which half and more of the others have one, under their name with one and the same word behind it. */
function sameEnds(places: readonly Place[]): readonly string[] {
  const byName = uniqueBy(places, ({ folders, stem }) => keyOf(folders, stem));
  const extended = places.flatMap(({ path, folders, stem }) => {
    const { base, end } = EXTENDED.exec(stem)?.groups ?? {};
    return base !== undefined && byName.get(keyOf(folders, base)) ? [{ path, end: folded(end!) }] : [];
  });
  return [...grouped(extended, ({ end }) => end).values()]
    .filter((own) => own.length >= LEAST_TWINS && 2 * own.length >= places.length - extended.length)
    .flatMap((own) => own.map(({ path }) => path));
}

/** The stem itself, its beginnings up to each "_" or "-", and its ends after them. */
const basesOf = (stem: string): string[] => [
  stem,
  ...[...stem.matchAll(/[_-]/g)].flatMap(({ index }) => [stem.slice(0, index), stem.slice(index + 1)]),
];

/**
 * Recognises masks named like their photographs, such as a.png beside a.jpg, if most photographs of a folder have one.
 */
function withoutTwins(
  places: readonly Place[],
  masks: [string, string | null][],
  others: readonly string[],
  isOneKind: boolean,
): Divided {
  const byFolder = grouped(places, ({ folders }) => folders.join("/"));
  const dropped = new Set<string>();
  const twins: string[] = [];
  for (const files of byFolder.values()) {
    const isLossless = ({ path }: Place): boolean => LOSSLESS.includes(extensionOf(path));
    const isPng = ({ path }: Place): boolean => extensionOf(path) === "png";
    // Either photographs are jpg, tiff or webp and masks lossless, or photographs are bmp and masks png.
    const [first, second] = files.some((file) => !isLossless(file))
      ? [(file: Place) => !isLossless(file), isLossless]
      : [(file: Place) => !isPng(file), isPng];
    const photographs = files.filter(first);
    const byStem = uniqueBy(photographs, ({ stem }) => folded(stem));
    const pairs = files.filter(second).flatMap((file): [Place, Place][] => {
      const own = byStem.get(folded(file.stem));
      return own ? [[file, own]] : [];
    });
    if (pairs.length >= LEAST_TWINS && 2 * pairs.length >= photographs.length) {
      for (const [mask, photograph] of pairs) {
        dropped.add(mask.path);
        masks.push([mask.path, photograph.path]);
      }
    } else twins.push(...pairs.flatMap((pair) => pair.map(({ path }) => path)));
  }
  const kept = places.filter(({ path }) => !dropped.has(path));
  twins.push(...sameNames(kept, isOneKind), ...sameEnds(kept));
  return { photographs: kept.map(({ path }) => path), masks, others, twins: [...new Set(twins)] };
}

/** A mask found beside photographs, for an error: "MT_Free/Imgs/a.png, the mask of a.jpg". */
export const shownMask = ([mask, photograph]: readonly [string, string | null]): string =>
  photograph === null ? mask : `${mask}, named as the mask of ${baseOf(photograph)}`;
