import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { recogniseDataset, type Dataset } from "../data/dataset.ts";
import { InputError } from "../runtime/errors.ts";
import { reasonOf } from "./files.ts";

/**
 * Finds the images of a folder and recognises its layout. Links are followed, but not in circles; hidden files are left out.
 * @throws InputError if the folder cannot be read, or holds nothing to learn from
 */
export async function readDataset(root: string): Promise<Dataset> {
  const found = await stat(root).catch((error: unknown) => {
    throw new InputError(`cannot read the folder ${root}: ${reasonOf(error)}`, { cause: error });
  });
  if (!found.isDirectory()) throw new InputError(`${root} is a file; a folder of images is needed`);
  return recogniseDataset(await filesBelow(root, "", []), basename(resolve(root)));
}

/** @param above the real paths of the folders that this one was reached through: meeting one again is a circle */
async function filesBelow(root: string, folder: string, above: readonly string[]): Promise<string[]> {
  const path = join(root, folder);
  const unreadable = (error: unknown): never => {
    throw new InputError(`cannot read the folder ${path}: ${reasonOf(error)}`, { cause: error });
  };
  const real = await realpath(path).catch(unreadable);
  if (above.includes(real)) return [];
  const names = await readdir(path).catch(unreadable);
  const files: string[] = [];
  for (const name of names.sort()) {
    if (name.startsWith(".")) continue;
    const relative = folder === "" ? name : `${folder}/${name}`;
    const found = await stat(join(root, relative)).catch(() => null); // a link to nowhere is no file
    if (found?.isDirectory()) files.push(...(await filesBelow(root, relative, [...above, real])));
    else if (found?.isFile()) files.push(relative);
  }
  return files;
}
