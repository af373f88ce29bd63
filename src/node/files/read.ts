import { constants, type Stats } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { InputError } from "../../runtime/errors.ts";
import { REASONS, reasonOf } from "./reasons.ts";

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

/** The reason why FIFOs, sockets and devices are not read: a read may wait, or go on, without end. */
export const specialReason = (found: Pick<Stats, "isFIFO" | "isSocket">): string =>
  `it is ${found.isFIFO() ? "a pipe" : found.isSocket() ? "a socket" : "a device"}, not a file`;

/** @throws InputError for what is not a file, with what it is */
export function requireRegular(name: string, found: Stats): void {
  if (found.isFile()) return;
  throw new InputError(`cannot read ${name}: ${found.isDirectory() ? REASONS["EISDIR"] : specialReason(found)}`);
}

/** True if there is a file. */
export const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isFile() ?? false;

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
