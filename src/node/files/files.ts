import { createReadStream, type Stats } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm, rmdir, stat, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { InputError } from "../../runtime/errors.ts";
import { finishPart, newPart, removePart } from "./parts.ts";
import { ELSEWHERE, FORBIDDEN, isForbidden, writeReasonOf } from "./reasons.ts";
import { openSink, findTarget, writeAll } from "./targets.ts";

/** Called before every write: a guard throws if this process must not write any more. */
export const guards = new Set<() => Promise<void>>();

/** @throws what a guard throws */
export async function requirePermission(): Promise<void> {
  for (const guard of guards) await guard();
}

/** Contents of a file: text or bytes, at once or in parts. */
export type Contents = Uint8Array | string | AsyncIterable<Uint8Array | string>;

const NOT_REPLACEABLE = [...FORBIDDEN, "EBUSY", "EXDEV"]; // in a folder of others', or mounted by itself

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
export async function replaceFiles(
  files: readonly (readonly [path: string, contents: Contents | null])[],
): Promise<void> {
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
  /** Path of the unfinished file; null before there is one. */
  readonly part: string | null;
  readonly finish: () => Promise<void>;
}

async function prepare(path: string, contents: Contents): Promise<Prepared> {
  const target = await findTarget(path);
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

async function openPart(
  folder: string,
  found: Stats | null,
): Promise<{ readonly part: string; readonly file: FileHandle }> {
  const part = newPart(folder);
  try {
    // an old file's contents stay as private as they are
    return { part, file: await open(part, "wx", found ? found.mode & 0o700 : 0o666) };
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
  if (own.uid !== uid || own.gid !== gid)
    await file.chown(uid, gid).catch(() => file.chown(own.uid, gid).catch(() => undefined));
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
 * Makes a folder, with its parents, and checks that files can be written there; called before the work.
 * @throws InputError if that is not possible
 */
export async function ensureWritableFolder(path: string): Promise<void> {
  try {
    await makeFolder(resolve(path));
    // a real write, as permissions do not predict every failure
    await rmdir(await mkdtemp(join(path, ".bigrid-")));
  } catch (error) {
    const reason = writeReasonOf(error, `nothing can be made there (${ELSEWHERE})`);
    throw new InputError(`cannot write to the folder ${path}: ${reason}`, { cause: error });
  }
}

/**
 * Checks that a file can be written, and makes its parent folders; called before the work.
 * @throws InputError if that is not possible
 */
export async function ensureWritableFile(path: string): Promise<void> {
  const target = await findTarget(path).catch((error: unknown) => {
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

/**
 * As mkdir's `recursive`, which goes round for ever where the system has no folder and takes none, as in /proc (seen in
 * Node 20).
 */
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
