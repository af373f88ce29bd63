import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { InputError } from "../runtime/errors.ts";

export interface Lock {
  release(): Promise<void>;
}

const PATIENCE = 3000; // milliseconds: a process that was killed a moment ago may still be going

/**
 * Keeps other processes of this machine from writing a file at a time. The lock is a socket that is listened on: the
 * system takes it back however its process ends, which it does with no file.
 * @throws InputError if another process has it
 */
export async function lockFile(path: string): Promise<Lock> {
  const name = `bigrid-${createHash("sha256").update(resolve(path)).digest("hex").slice(0, 24)}`;
  const address = process.platform === "win32" ? `\\\\.\\pipe\\${name}` : process.platform === "linux" ? `\0${name}` : join(tmpdir(), name);
  for (const began = performance.now(); ; ) {
    const server = createServer((socket) => socket.destroy());
    const got = await new Promise<boolean>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(false) : reject(error)));
      server.listen(address, () => resolve(true));
    });
    if (got) {
      server.unref();
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    }
    if (address.startsWith("/") && !(await answers(address))) await rm(address, { force: true }); // left behind by a process that was killed
    else if (performance.now() - began > PATIENCE) throw new InputError(`another bigrid is writing ${path}: wait for its end, or end it`);
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
