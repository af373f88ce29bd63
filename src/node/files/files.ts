import { constants, createReadStream, type Stats } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm, rmdir, stat, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { InputError } from "../../runtime/errors.ts";
import { finishPart, newPart, removePart } from "./parts.ts";
import { openSink, targetOf, writeAll } from "./targets.ts";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EPERM: "no permission",
  ENOENT: "it does not exist",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EEXIST: "a file of that name is in the way",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EXDEV: "it lies on another file system",
  EBUSY: "the system or another program is using it",
  ETXTBSY: "it is a program that is running",
  EMFILE: "this process has too many files open",
  ENFILE: "the system has too many files open",
  EIO: "the disk reported an input/output error",
  EFBIG: "the file is too large for its file system",
  ESTALE: "the network file system has lost it",
  ENXIO: "nothing is connected to it",
  EPIPE: "its reader has closed it",
  EBADF: "it is not open",
  EINVAL: "the file system does not support that",
  ENOTEMPTY: "a folder of that name is in the way",
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

const GONE = new Set(["ENOENT", "ENOTDIR", "ENODEV", "ENXIO", "ENOTCONN", "ESTALE", "EIO", "EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT"]);

/** Whether a file could not be read because it, its folder or the disk that it lies on is not there; it may be again. */
export function isGone(error: Error): boolean {
  return GONE.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? "");
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
  ENOTEMPTY: "choose another name",
  ENOSPC: "free some space, or choose another disk",
  EDQUOT: "free some space, or choose another disk",
  EFBIG: "choose another disk",
  EXDEV: ELSEWHERE,
  EBUSY: "end what uses it, or choose another name",
  ETXTBSY: "end what uses it, or choose another name",
  EMFILE: "raise the limit with ulimit -n",
  ENFILE: "close other programs",
  EIO: "check the disk, or choose another one",
  ESTALE: "mount it again, or choose another place",
};

/** Why something cannot be written, and what to do about it. */
export function writeReasonOf(error: unknown, missing = "its folder does not exist (make it first)"): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return missing;
  const remedy = REMEDIES[code ?? ""];
  return remedy ? `${reasonOf(error)} (${remedy})` : reasonOf(error);
}

/** Asked before anything is written: a guard throws where this process must write no more. */
export const guards = new Set<() => Promise<void>>();

/** @throws what a guard throws */
export async function requirePermission(): Promise<void> {
  for (const guard of guards) await guard();
}

/** What is written: text or bytes, at once or in parts. */
export type Contents = Uint8Array | string | AsyncIterable<Uint8Array | string>;

const FORBIDDEN = ["EACCES", "EPERM", "EROFS"];
const NOT_REPLACEABLE = [...FORBIDDEN, "EBUSY", "EXDEV"]; // in a folder of others', or mounted by itself

/** Whether the system does not let this user make a file there. */
export const isForbidden = (error: unknown): boolean => FORBIDDEN.includes((error as NodeJS.ErrnoException).code ?? "");

/**
 * Writes a file as a whole or not at all: beside it, flushed, then renamed over it. Links are followed, and an old
 * file's mode is kept, its owner where that is allowed. What cannot be replaced is written in place: a device, a pipe
 * or a descriptor as it comes; a file that may be written in a folder that may not, or that is mounted by itself, as
 * soon as all of its contents are on a disk.
 * @throws InputError if that is not possible; what was there before is untouched, but for a file written in place,
 * which is then empty
 */
export const writeFileAtomic = (path: string, contents: Contents): Promise<void> => replaceFiles([[path, contents]]);

/**
 * Writes several files that belong together: all of them are written and flushed before the first is replaced.
 * @param files paths and contents, in the order in which they are replaced; null removes a file
 * @throws InputError as `writeFileAtomic`
 */
export async function replaceFiles(files: readonly (readonly [path: string, contents: Contents | null])[]): Promise<void> {
  const written: (Prepared & { readonly path: string })[] = [];
  let current = "";
  try {
    for (const [path, contents] of files) {
      current = path;
      const removal: Prepared = { part: null, finish: () => rm(path, { force: true }) };
      written.push({ path, ...(contents === null ? removal : await prepare(path, contents)) });
    }
    await requirePermission();
    for (const { path, finish } of written) {
      current = path;
      await finish();
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot write ${current}: ${writeReasonOf(error)}`, { cause: error });
  } finally {
    for (const { part } of written) if (part !== null) await removePart(part);
  }
}

/** A file's new contents, complete, and what puts them in its place. */
interface Prepared {
  /** Where they lie; null where they lie nowhere yet. */
  readonly part: string | null;
  readonly finish: () => Promise<void>;
}

async function prepare(path: string, contents: Contents): Promise<Prepared> {
  const target = await targetOf(path);
  if (target.kind !== "file") {
    const finish = async (): Promise<void> => {
      const sink = await openSink(target);
      try {
        for await (const bytes of partsOf(contents)) await writeAll(sink, bytes);
      } finally {
        await sink.close();
      }
    };
    return { part: null, finish };
  }
  const { found } = target;
  if (found?.isDirectory()) throw Object.assign(new Error(path), { code: "EISDIR" });
  const { part, file } = await openPart(dirname(target.path), found).catch((error: unknown) => {
    if (!found || !isForbidden(error)) throw error;
    return openPart(tmpdir(), found);
  });
  try {
    for await (const bytes of partsOf(contents)) await writeAll(file, bytes);
    if (found) await keepOwner(file, found);
    await file.sync();
  } catch (error) {
    await removePart(part);
    throw error;
  } finally {
    await file.close();
  }
  const finish = async (): Promise<void> => {
    try {
      await rename(part, target.path);
      finishPart(part);
    } catch (error) {
      if (!found || !NOT_REPLACEABLE.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      await copyOver(part, target.path);
    }
  };
  return { part, finish };
}

async function openPart(folder: string, found: Stats | null): Promise<{ readonly part: string; readonly file: FileHandle }> {
  const part = newPart(folder);
  try {
    return { part, file: await open(part, "wx", found ? found.mode & 0o700 : 0o666) }; // an old file's contents stay as private as they are
  } catch (error) {
    finishPart(part);
    throw error;
  }
}

async function* partsOf(contents: Contents): AsyncGenerator<Uint8Array> {
  const parts = typeof contents === "string" || contents instanceof Uint8Array ? [contents] : contents;
  for await (const part of parts) yield typeof part === "string" ? Buffer.from(part) : part;
}

/** Gives a new file the owner of the old one, or its group at least, where that is allowed; and its mode. */
async function keepOwner(file: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const own = await file.stat();
  if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid).catch(() => file.chown(own.uid, gid).catch(() => undefined));
  await file.chmod(mode & 0o7777).catch(() => undefined); // not all file systems have modes
}

/** Writes a file's bytes over those of another, which stays the same file; it is left empty if that fails. */
async function copyOver(from: string, path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    let length = 0;
    for await (const bytes of createReadStream(from) as AsyncIterable<Uint8Array>) {
      await writeAll(file, bytes);
      length += bytes.length;
    }
    await file.truncate(length);
    await file.sync();
  } catch (error) {
    await file.truncate(0).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * Makes a folder, and those around it, and makes sure that files can be written there: before the work, not after it.
 * @throws InputError if that is not possible
 */
export async function ensureWritableFolder(path: string): Promise<void> {
  try {
    await makeFolder(resolve(path));
    await rmdir(await mkdtemp(join(path, ".bigrid-"))); // asking for permission is not enough: it does not know all that can fail
  } catch (error) {
    const reason = writeReasonOf(error, `nothing can be made there (${ELSEWHERE})`);
    throw new InputError(`cannot write to the folder ${path}: ${reason}`, { cause: error });
  }
}

/**
 * Makes sure that a file can be written, and makes the folders around it: before the work, not after it.
 * @throws InputError if that is not possible
 */
export async function ensureWritableFile(path: string): Promise<void> {
  const target = await targetOf(path).catch((error: unknown) => {
    throw new InputError(`cannot write ${path}: ${writeReasonOf(error)}`, { cause: error });
  });
  if (target.kind !== "file") return;
  if (target.found?.isDirectory()) throw new InputError(`cannot write ${path}: it is a folder; name a file in it`);
  await ensureWritableFolder(dirname(target.path)).catch(async (error: unknown) => {
    if (!target.found) throw error;
    const file = await open(target.path, "r+").catch(() => {
      throw error;
    });
    await file.close();
  });
}

/**
 * Makes a folder, and those around it, if it is not there.
 * @throws InputError if that is not possible
 */
export async function ensureFolder(path: string): Promise<void> {
  await makeFolder(resolve(path)).catch((error: unknown) => {
    throw new InputError(`cannot make the folder ${path}: ${writeReasonOf(error)}`, { cause: error });
  });
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

// A pipe that takes a file's place between the look and the opening must not block a thread that no signal ends.
// Windows has no such flag.
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

/** Why what is neither file nor folder is not read: a read may wait, or go on, without end. */
export const specialReason = (found: Pick<Stats, "isFIFO" | "isSocket">): string =>
  `it is ${found.isFIFO() ? "a pipe" : found.isSocket() ? "a socket" : "a device"}, not a file`;

/** @throws InputError for what is not a file, with what it is */
export function requireRegular(name: string, found: Stats): void {
  if (found.isFile()) return;
  throw new InputError(`cannot read ${name}: ${found.isDirectory() ? REASONS["EISDIR"] : specialReason(found)}`);
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
