import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { recogniseDataset, type Dataset, type Unreadable } from "../data/dataset.ts";
import type { FormatName } from "../data/layouts/layout.ts";
import { byCodeUnits, isClutter, within } from "../data/tree.ts";
import { InputError } from "../runtime/errors.ts";
import { reasonOf } from "./files.ts";

/**
 * Lists a folder's files and recognises its layout; no image is opened. Links are followed, but not in circles; hidden
 * files are left out; what cannot be listed is named in the result.
 * @param format the layout to read it as, instead of recognising it
 * @throws InputError if the folder cannot be read, or holds no dataset (`recogniseDataset`)
 */
export async function readDataset(root: string, format?: FormatName): Promise<Dataset> {
  const { files, unreadable } = await listFolder(root);
  const readText = (path: string): Promise<string> =>
    readFile(join(root, path), "utf8").catch((error: unknown) => {
      throw new InputError(`cannot read ${join(root, path)}: ${reasonOf(error)}`, { cause: error });
    });
  return recogniseDataset({ name: basename(resolve(root)), files, unreadable, readText }, format);
}

/**
 * Lists the files in a folder at any depth, as `readDataset` does.
 * @returns paths relative to it, with forward slashes; `unreadable` in order of paths
 * @throws InputError if the folder itself cannot be read
 */
export async function listFolder(root: string): Promise<{ readonly files: readonly string[]; readonly unreadable: readonly Unreadable[] }> {
  const unreadableRoot = (error: unknown): never => {
    throw new InputError(`cannot read the folder ${root}: ${reasonOf(error)}`, { cause: error });
  };
  const found = await stat(root).catch(unreadableRoot);
  if (!found.isDirectory()) throw new InputError(`${root} is a file; a folder of images is needed`);
  await readdir(root).catch(unreadableRoot);
  const files: string[] = [];
  const unreadable: Unreadable[] = [];
  await listFiles(root, "", [], files, unreadable);
  unreadable.sort((a, b) => byCodeUnits(a.path, b.path));
  return { files, unreadable };
}

/** @param above the real paths of the folders that this one was reached through: meeting one again is a circle */
async function listFiles(root: string, folder: string, above: readonly string[], files: string[], unreadable: Unreadable[]): Promise<void> {
  try {
    const real = await realpath(join(root, folder));
    if (above.includes(real)) return;
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    for (const entry of entries) {
      if (isClutter(entry.name)) continue;
      const path = within(folder, entry.name);
      const kind = entry.isSymbolicLink() ? await linkedKind(join(root, path)) : entry; // a look at each file would be slow
      if ("reason" in kind) unreadable.push({ path, reason: kind.reason });
      else if (kind.isDirectory()) await listFiles(root, path, [...above, real], files, unreadable);
      else if (kind.isFile()) files.push(path);
    }
  } catch (error) {
    unreadable.push({ path: folder, reason: reasonOf(error) });
  }
}

async function linkedKind(path: string): Promise<{ isDirectory(): boolean; isFile(): boolean } | { readonly reason: string }> {
  return stat(path).catch((error: NodeJS.ErrnoException) => ({ reason: error.code === "ENOENT" ? "a link to nowhere" : reasonOf(error) }));
}
