import { readdir } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { InputError } from "../../runtime/errors.ts";

// The folder that MVTec AD 2's benchmark takes: a map and a mask of each image of its two private test sets, of the
// image's size. Names and numbers are those of its check_and_prepare_data_for_upload.py, which packs the folder.
// See https://www.mvtec.com/company/research/datasets/mvtec-ad-2 and https://benchmark.mvtec.com

/** Folders of a submission. */
export const SUBMISSION_FOLDERS = { map: "anomaly_images", mask: "anomaly_images_thresholded" } as const;

const EXTENSIONS = { map: "tiff", mask: "png" } as const;
/** The private test sets, and how names of images end in them. */
const SETS: Readonly<Record<string, string>> = { test_private: "regular", test_private_mixed: "mixed" };
/** Images in each private test set of an object, from 000 on. */
const OBJECTS: Readonly<Record<string, number>> = {
  can: 321,
  fabric: 314,
  fruit_jelly: 255,
  rice: 277,
  sheet_metal: 142,
  vial: 276,
  wallplugs: 232,
  walnuts: 228,
};

/** "can/test_private/000_regular.png", for an image of a private test set; null for others. */
function nameInSubmission(image: string): string | null {
  const [object = "", set = "", file = ""] = resolve(image).split(sep).slice(-3);
  if (!Object.hasOwn(OBJECTS, object) || !Object.hasOwn(SETS, set)) return null;
  const [stem] = /^\d{3}_[a-z]+(?=\.png$)/.exec(file) ?? [];
  return stem?.endsWith(`_${SETS[set]}`) ? `${object}/${set}/${file}` : null;
}

/**
 * The images of private test sets among others, with the names of their masks in a submission.
 * @throws InputError if there are none, or two of one name
 */
export function submitted(images: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map(
    images.flatMap((image) => {
      const name = nameInSubmission(image);
      return name === null ? [] : [[image, name] as const];
    }),
  );
  if (names.size === 0)
    throw new InputError(
      `--submission takes MVTec AD 2's private test sets, such as can/test_private/000_regular.png; none of the ${images.length} images is of one`,
    );
  const known = new Map<string, string>();
  for (const [image, name] of names) {
    const twin = known.get(name);
    if (twin !== undefined)
      throw new InputError(`${twin} and ${image} are both ${name} of a submission: name one of them`);
    known.set(name, image);
  }
  return names;
}

/** Says which objects a submission has, and what it lacks. */
export async function describeSubmission(folder: string): Promise<string> {
  const [whole, partly, missing]: [string[], string[], string[]] = [[], [], []];
  for (const [object, images] of Object.entries(OBJECTS)) {
    const all = 2 * images;
    const done = Math.min(await filesOf(folder, object, "map"), await filesOf(folder, object, "mask"));
    if (done === all) whole.push(object);
    else if (done === 0) missing.push(object);
    else partly.push(`${object} with ${done} of ${all} images`);
  }
  const parts = [
    `has ${[...whole, ...partly].join(", ") || "nothing yet"}`,
    ...(missing.length > 0 ? [`lacks ${missing.join(", ")}`] : []),
    ...(missing.length + partly.length === 0
      ? ["is complete: MVTec's check_and_prepare_data_for_upload.py packs it"]
      : []),
  ];
  return `the submission in ${folder} ${parts.join("; ")}`;
}

/** The number of an object's images that a submission has files of. */
async function filesOf(folder: string, object: string, kind: keyof typeof SUBMISSION_FOLDERS): Promise<number> {
  let count = 0;
  for (const [set, end] of Object.entries(SETS)) {
    const found = new Set(await readdir(join(folder, SUBMISSION_FOLDERS[kind], object, set)).catch(() => []));
    for (let i = 0; i < OBJECTS[object]!; i++)
      if (found.has(`${String(i).padStart(3, "0")}_${end}.${EXTENSIONS[kind]}`)) count++;
  }
  return count;
}
