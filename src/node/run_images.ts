import { isAbsolute, join, relative, resolve } from "node:path";
import type { ImageRecord } from "../detection/continuation.ts";
import { isScore } from "../detection/calibration.ts";
import { isObject, isWhole, RECORD, requireJson } from "../io/json.ts";
import { InputError } from "../runtime/errors.ts";
import { readText } from "./files/read.ts";

/** Name of the file in a run's folder. */
export const IMAGES_FILE = "images.json";

/** The images that a run was trained on, and the parts of them that counted: what training on needs besides options. */
export interface RunImages {
  /** x,y,width,height in pixels, or the absolute path of a mask; null for whole images. */
  readonly roi: string | null;
  /** Absolute path of a mask of what does not count; null for none. */
  readonly ignore: string | null;
  /** Absolute path of the dataset whose defective images were trained on; null for none. */
  readonly anomalies: string | null;
  readonly folders: readonly RunFolder[];
}

/** Images of a folder. */
export interface RunFolder {
  /** Absolute path. */
  readonly folder: string;
  /** Their names are paths below the folder. */
  readonly images: readonly ImageRecord[];
}

/** True if a path lies below a folder, both of them absolute. */
function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}

/**
 * Sorts a training's images by folders.
 * @param record names are the images' paths
 * @param folders those in which they lie
 */
export function sortByFolder(record: readonly ImageRecord[], folders: readonly string[]): RunFolder[] {
  const roots = [...new Set(folders.map((folder) => resolve(folder)))];
  const sorted = new Map(roots.map((root) => [root, [] as ImageRecord[]]));
  for (const one of record) {
    const path = resolve(one.name);
    const root = roots.find((folder) => isBelow(folder, path));
    if (root !== undefined) sorted.get(root)!.push({ ...one, name: relative(root, path) });
  }
  return [...sorted].map(([folder, images]) => ({ folder, images }));
}

/** The images of folders, by their absolute paths. */
export const recordIn = (folders: readonly RunFolder[]): ImageRecord[] =>
  folders.flatMap(({ folder, images }) => images.map((one) => ({ ...one, name: join(folder, one.name) })));

/** Name and text of the file. */
export const encodeRunImages = (images: RunImages): readonly [name: string, text: string] => [
  IMAGES_FILE,
  `${JSON.stringify(images, null, 1)}\n`,
];

/**
 * Reads the images that a run was trained on.
 * @throws InputError if its folder does not say, or the file is damaged
 */
export async function readRunImages(run: string): Promise<RunImages> {
  const path = join(run, IMAGES_FILE);
  const text = await readText(path).catch((cause: unknown) => {
    throw new InputError(
      `${run} does not say which images it was trained on (${(cause as Error).message}): train anew, with all images in one folder`,
      { cause },
    );
  });
  const read = requireJson(text, RECORD, path) as RunImages;
  if (isRunImages(read)) return read;
  throw new InputError(`${path} is damaged: it does not list the images that the run was trained on; train anew`);
}

function isRunImages(value: unknown): value is RunImages {
  if (!isObject(value)) return false;
  const { roi, ignore, anomalies, folders } = value;
  const isPath = (path: unknown): boolean => path === null || typeof path === "string";
  return [roi, ignore, anomalies].every(isPath) && Array.isArray(folders) && folders.every(isFolder);
}

const isFolder = (value: unknown): boolean =>
  isObject(value) &&
  typeof value["folder"] === "string" &&
  Array.isArray(value["images"]) &&
  value["images"].every(isRecord);

function isRecord(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { name, className, tiles, trained, heldOut, added } = value;
  const isHeldOut = heldOut === null || (isObject(heldOut) && isScore(heldOut["score"]) && isScore(heldOut["peak"]));
  return (
    typeof name === "string" &&
    typeof className === "string" &&
    isWhole(tiles) &&
    tiles > 0 &&
    typeof trained === "boolean" &&
    typeof added === "boolean" &&
    isHeldOut
  );
}
