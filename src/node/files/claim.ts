import { InputError } from "../../runtime/errors.ts";
import { ensureWritableFile, ensureWritableFolder } from "./files.ts";
import { lockFile, lockFolder, type Lock } from "./lock.ts";
import { findTarget } from "./targets.ts";

/** Outputs that a command is going to write. */
export interface Outputs {
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
  /** Names a share of the folders that others may write their own beside; all of them by default. */
  readonly share?: string;
}

/**
 * Checks before the work that outputs are distinct and can be written, and locks them until it is released.
 * @throws InputError if one cannot be written, is named twice, or another process has it; no lock is held then
 */
export async function claimOutputs({ files = [], folders = [], share = "" }: Outputs): Promise<Lock> {
  for (const path of folders) await ensureWritableFolder(path);
  for (const path of files) await ensureWritableFile(path);
  await requireDistinct([...files, ...folders]);
  const locks: Lock[] = [];
  const release = async (): Promise<void> => {
    for (const lock of locks.splice(0)) await lock.release();
  };
  try {
    for (const path of folders) locks.push(await lockFolder(path, share));
    for (const path of files) locks.push(await lockFile(path));
  } catch (error) {
    await release();
    throw error;
  }
  return { release, [Symbol.asyncDispose]: release };
}

async function requireDistinct(paths: readonly string[]): Promise<void> {
  const known = new Map<string, string>();
  for (const path of paths) {
    const target = await findTarget(path);
    if (target.kind === "special") continue;
    const place = target.kind === "file" ? target.path : `descriptor ${target.fd}`;
    const twin = known.get(place);
    if (twin !== undefined)
      throw new InputError(`${twin} and ${path} are one place for two outputs: name another for one of them`);
    known.set(place, path);
  }
}
