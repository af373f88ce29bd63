import { constants, write, type Stats } from "node:fs";
import { lstat, open, readlink, realpath, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** The target of an output's path, behind all links. */
export type Target =
  /** A file or a folder, or nothing yet (`found` is null). */
  | { readonly kind: "file"; readonly path: string; readonly found: Stats | null }
  /** A device, a FIFO or a socket: it is written through, never replaced. */
  | { readonly kind: "special"; readonly path: string }
  /** A file descriptor of this process. */
  | { readonly kind: "descriptor"; readonly fd: number };

/** A sequential sink of bytes. */
export interface Sink {
  write(bytes: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>;
  close(): Promise<void>;
}

const MOST_LINKS = 40; // as Linux has it
const DESCRIPTOR = /^\/(?:dev|proc\/(self|thread-self|\d+))\/fd\/(\d{1,9})$/;
const STANDARD = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];

/**
 * Follows an output's path through its links to what must be written; a last link may lead to a file that is not there
 * yet.
 * @throws as lstat, but for a file that is not there
 */
export async function findTarget(path: string): Promise<Target> {
  let at = resolve(path);
  for (let links = 0; links <= MOST_LINKS; links++) {
    const early = descriptorAt(at);
    if (early) return early;
    at = join(await realpath(dirname(at)).catch(() => dirname(at)), basename(at));
    const late = descriptorAt(at);
    if (late) return late;
    const found = await lstat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (found?.isSymbolicLink()) at = resolve(dirname(at), await readlink(at));
    else if (found && !found.isFile() && !found.isDirectory()) return { kind: "special", path: at };
    else return { kind: "file", path: at, found };
  }
  throw Object.assign(new Error(`${path} has more than ${MOST_LINKS} links`), { code: "ELOOP" });
}

/**
 * The descriptor that a path names. A file that a shell has opened is written through its own descriptor: opened again,
 * it would be written from its beginning. Under the launcher only standard input and output are inherited; others are
 * opened through its own.
 */
function descriptorAt(path: string): Target | null {
  const [, owner = "self", digits = String(STANDARD.indexOf(path))] = DESCRIPTOR.exec(path) ?? [];
  const fd = Number(digits);
  if (fd < 0) return null;
  if (/^\d/.test(owner) && Number(owner) !== process.pid) return { kind: "special", path };
  const isLaunched = process.env["BIGRID_MESSAGES_FD"] !== undefined; // as cli/launcher.ts says
  if (fd > 1 && isLaunched && process.platform === "linux")
    return { kind: "special", path: `/proc/${process.ppid}/fd/${fd}` };
  return { kind: "descriptor", fd };
}

/** True if a path leads to something that is written through: a device, a FIFO or a descriptor. */
export async function isWrittenThrough(path: string): Promise<boolean> {
  const target = await findTarget(path).catch(() => null);
  return target !== null && target.kind !== "file";
}

const FULL = 10; // milliseconds until a pipe that is full, or has no reader yet, is tried again
const READER = 60_000; // milliseconds that a pipe's reader may take to come

/**
 * Opens what is written through.
 * @param patience milliseconds that the reader of a pipe may take to come: waiting for it in the system would heed no
 * signal
 * @throws as open: ENXIO where no reader has come
 */
export async function openSink(target: Exclude<Target, { kind: "file" }>, patience = READER): Promise<Sink> {
  if (target.kind === "special") {
    if (!(await stat(target.path)).isFIFO()) return open(target.path, "a");
    const pipe = await openPipe(target.path, patience);
    return { write: (bytes, offset) => writeSome(pipe.fd, bytes, offset), close: () => pipe.close() };
  }
  return { write: (bytes, offset) => writeSome(target.fd, bytes, offset), close: () => Promise.resolve() };
}

async function openPipe(path: string, patience: number): Promise<FileHandle> {
  for (const began = performance.now(); ;) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      const isEarly = (error as NodeJS.ErrnoException).code === "ENXIO";
      if (!isEarly || performance.now() - began > patience) throw error;
    }
    await pause(FULL);
  }
}

/** Writes all bytes. */
export async function writeAll(sink: Sink, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += (await sink.write(bytes, written)).bytesWritten;
}

async function writeSome(fd: number, bytes: Uint8Array, offset: number): Promise<{ bytesWritten: number }> {
  for (;;) {
    const bytesWritten = await new Promise<number | null>((resolve, reject) =>
      write(fd, bytes, offset, undefined, null, (error, count) => {
        if (!error) resolve(count);
        else if (error.code === "EAGAIN") resolve(null);
        else reject(error);
      }),
    );
    if (bytesWritten !== null) return { bytesWritten };
    await pause(FULL);
  }
}
