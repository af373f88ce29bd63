import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Identifies this process in the names of its unfinished files, and in the records of its locks. */
export const WRITER = randomBytes(8).toString("hex");

const unfinished = new Set<string>();
let serial = 0;

/**
 * A new path in a folder for a file that is not finished. It is short, so that it fits wherever the finished file's
 * name does.
 * @param ending of its name
 */
export function newPart(folder: string, ending = ".part"): string {
  if (serial === 0) process.once("exit", () => unfinished.forEach((part) => rmSync(part, { force: true })));
  const part = join(folder, `.bigrid-${WRITER}-${serial++}${ending}`);
  unfinished.add(part);
  return part;
}

/** Notes that a part has become a finished file. */
export function finishPart(part: string): void {
  unfinished.delete(part);
}

/** Removes a part, if it is there. */
export async function removePart(part: string): Promise<void> {
  await rm(part, { force: true }).then(
    () => unfinished.delete(part),
    () => undefined,
  ); // else once more when the process ends
}

/**
 * Removes the parts that a process left in a folder, which must have ended.
 * @param writer that process's `WRITER`
 * @param below whether to look in the folder's own folders too
 */
export async function removePartsOf(writer: string, folder: string, below: boolean): Promise<void> {
  // what cannot be listed is met when it is written
  const entries = await readdir(folder, { recursive: below, withFileTypes: true }).catch(() => []);
  const own = entries.filter(
    (entry) => entry.isFile() && entry.name.startsWith(`.bigrid-${writer}-`) && entry.name.endsWith(".part"),
  );
  await Promise.all(
    own.map(({ parentPath, name }) => rm(join(parentPath, name), { force: true }).catch(() => undefined)),
  );
}
