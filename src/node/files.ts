import { constants, type Stats } from "node:fs";
import { mkdir, mkdtemp, open, readdir, rename, rm, rmdir, stat, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
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
  ERR_FS_FILE_TOO_LARGE: "it is larger than 2 GiB",
  ERR_INVALID_ARG_VALUE: "no file can have that name",
};

/** Why a file operation failed, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

const ELSEWHERE = "choose another place";
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: ELSEWHERE,
  EPERM: ELSEWHERE,
  ENOTDIR: ELSEWHERE,
  EROFS: ELSEWHERE,
  EISDIR: "choose another name",
  EEXIST: "choose another name",
  ENAMETOOLONG: "choose a shorter one",
  ENOSPC: "free some space, or choose another disk",
};

/** Why something cannot be written, and what to do about it. */
export function writeReasonOf(error: unknown, missing = "its folder does not exist (make it first)"): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return missing;
  const remedy = REMEDIES[code ?? ""];
  return remedy ? `${reasonOf(error)} (${remedy})` : reasonOf(error);
}

let serial = 0;

/** Whether a path is there and neither file nor folder: a device or a pipe, which nothing must be renamed over. */
export async function isSpecialFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && !found.isFile() && !found.isDirectory();
}

/**
 * Writes a file as a whole or not at all: beside it, flushed, then renamed over it.
 * @param contents text may come in parts
 * @throws InputError if that is not possible; what was there before is untouched
 */
export async function writeFileAtomic(path: string, contents: Uint8Array | string | AsyncIterable<string>): Promise<void> {
  const beside = `${path}.${process.pid}-${serial++}.part`; // its own, even if one path is written twice at a time
  try {
    const file = await open(beside, "w");
    try {
      if (typeof contents === "string" || contents instanceof Uint8Array) await file.writeFile(contents);
      else for await (const part of contents) await file.appendFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw new InputError(`cannot write ${path}: ${writeReasonOf(error)}`, { cause: error });
  }
}

const PART = /\.\d+-\d+\.part$/;

/**
 * Removes what a process that was killed has left beside files that it was writing.
 * @param isOver says of a file's path, and of that of the part which it was to become, whether nobody writes it now
 */
export async function removeParts(folder: string, isOver: (path: string, part: string) => boolean | Promise<boolean>, recursive = false): Promise<void> {
  const entries = await readdir(folder, { recursive, withFileTypes: true }).catch(() => []); // what cannot be listed is met when it is written
  for (const { name, parentPath } of entries.filter(({ name }) => PART.test(name))) {
    const part = join(parentPath, name);
    if (await isOver(part.replace(PART, ""), part)) await rm(part, { force: true }).catch(() => undefined);
  }
}

const LEFT_OVER = 3_600_000; // milliseconds without a change after which nobody is still writing a file

/**
 * Makes a folder, and those around it, and makes sure that files can be written there: before the work, not after it. What
 * `writeFileAtomic` began there and a kill ended, an hour ago or more, goes.
 * @throws InputError if that is not possible
 */
export async function ensureWritableFolder(path: string): Promise<void> {
  try {
    await makeFolder(resolve(path));
    await rmdir(await mkdtemp(join(path, ".bigrid-"))); // asking for permission is not enough: it does not know all that can fail
    await removeParts(path, (_path, part) => isLeftOver(part));
  } catch (error) {
    const reason = writeReasonOf(error, `nothing can be made there (${ELSEWHERE})`);
    throw new InputError(`cannot write to the folder ${path}: ${reason}`, { cause: error });
  }
}

/** Whether a part is as old as only what was left over can be; not one that is gone: it was being written. */
async function isLeftOver(part: string): Promise<boolean> {
  const found = await stat(part).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > LEFT_OVER;
}

/** As mkdir's `recursive`, which goes round for ever where the system has no folder and takes none, as in /proc (seen in Node 20). */
async function makeFolder(path: string): Promise<void> {
  const make = async (): Promise<void> => {
    await mkdir(path).catch(async (error: unknown) => {
      if (!(await stat(path).catch(() => null))?.isDirectory()) throw error;
    });
  };
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await make();
  });
}

// A pipe that takes a file's place between the look and the opening must not block a thread that no signal ends. Windows has no such flag.
const OPEN_WITHOUT_WAITING = constants.O_RDONLY | ((constants as Partial<typeof constants>).O_NONBLOCK ?? 0);

/**
 * Opens a file for reading. Pipes, devices and sockets are refused: reading them may wait, or go on, without end.
 * @param name for errors
 * @throws InputError if it cannot be opened, or is not a file
 */
export async function openRegularFile(path: string, name = path): Promise<FileHandle> {
  const unreadable = (error: unknown): never => {
    throw new InputError(`cannot read ${name}: ${reasonOf(error)}`, { cause: error });
  };
  requireRegular(name, await stat(path).catch(unreadable));
  const file = await open(path, OPEN_WITHOUT_WAITING).catch(unreadable);
  try {
    requireRegular(name, await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws InputError for what is not a file, with what it is */
export function requireRegular(name: string, found: Stats): void {
  if (found.isFile()) return;
  const kind = found.isFIFO() ? "a pipe" : found.isSocket() ? "a socket" : "a device";
  throw new InputError(`cannot read ${name}: ${found.isDirectory() ? REASONS["EISDIR"] : `it is ${kind}, not a file`}`);
}

/** A bound on what is read of a file. */
export interface ReadLimit {
  /** Bytes that the file may have. Default: as many as fit one buffer, 2 GiB. */
  readonly limit?: number;
}

/**
 * A file's bytes.
 * @throws InputError if it cannot be read, is not a file (`openRegularFile`), or is larger than the limit
 */
export async function readBytes(path: string, { limit = Infinity }: ReadLimit = {}): Promise<Uint8Array> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    if (size > limit) throw new InputError(`it has ${size} bytes; at most ${limit} are read`);
    return await file.readFile();
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    await file.close();
  }
}

/**
 * A file's text, in UTF-8.
 * @throws InputError as `readBytes`
 */
export async function readText(path: string, limit: ReadLimit = {}): Promise<string> {
  return Buffer.from(await readBytes(path, limit)).toString("utf8");
}
