import { constants } from "node:fs";
import { access, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError } from "../runtime/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EPERM: "no permission",
  ENOENT: "it does not exist",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EEXIST: "a file of that name is in the way",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
  ELOOP: "its links go round in a circle",
  ENAMETOOLONG: "the name is too long",
};

/** Why a file operation failed, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

/**
 * Writes a file as a whole or not at all: beside it, flushed, then renamed over it.
 * @throws InputError if that is not possible; what was there before is untouched
 */
export async function writeFileAtomic(path: string, contents: Uint8Array | string): Promise<void> {
  const beside = `${path}.${process.pid}.part`;
  try {
    const file = await open(beside, "w");
    try {
      await file.writeFile(contents);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw new InputError(`cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Makes a folder, and those around it, and makes sure that files can be written there: before the work, not after it.
 * @throws InputError if that is not possible
 */
export async function ensureWritableFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new InputError(`cannot write to the folder ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Makes sure that a file can be written at `path`, before the work.
 * @throws InputError if its folder cannot be written to, or a folder is in its place
 */
export async function ensureWritableFile(path: string): Promise<void> {
  await ensureWritableFolder(dirname(path));
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) throw new InputError(`cannot write ${path}: it is a folder`);
}

/**
 * A file's bytes.
 * @throws InputError if it cannot be read
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
