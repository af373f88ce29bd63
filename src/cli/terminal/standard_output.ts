import { readFileSync, readlinkSync } from "node:fs";

let failure: NodeJS.ErrnoException | null = null;
const listeners: (() => void)[] = [];

function fail(error: NodeJS.ErrnoException): void {
  if (failure) return;
  failure = error;
  for (const listener of listeners) listener();
}
process.stdout.on("error", fail);

/** The error that standard output has met, after which nothing more is written to it; null if there was none. */
export const outputFailure = (): NodeJS.ErrnoException | null => failure;

/** Calls `listener` when standard output fails. */
export const onOutputFailure = (listener: () => void): void => void listeners.push(listener);

/** Writes to standard output; resolves when that is on its way or has failed. After a failure it does nothing. */
export async function write(text: string): Promise<void> {
  if (failure) return;
  await new Promise<void>((resolve) => {
    try {
      process.stdout.write(text, (error) => {
        if (error) fail(error);
        resolve();
      });
    } catch (error) {
      fail(error as NodeJS.ErrnoException);
      resolve();
    }
  });
}

const ACCESS = 0o3;
const READ_AND_WRITE = 0o2;

/**
 * True if there is no standard output. Node then opens /dev/null in its place, for reading and writing, which a shell's
 * redirection does not. A program that starts this one may: what is printed by the way is not worth an error then.
 */
export function isOutputClosed(): boolean {
  try {
    if (readlinkSync("/proc/self/fd/1") !== "/dev/null") return false;
    const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync("/proc/self/fdinfo/1", "utf8"))!;
    return (parseInt(flags!, 8) & ACCESS) === READ_AND_WRITE;
  } catch {
    return false; // a system without /proc
  }
}
