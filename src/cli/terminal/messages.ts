import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { isatty, WriteStream } from "node:tty";

/** Names the descriptor that messages go to; without it, standard error. */
export const MESSAGES_FD_VARIABLE = "BIGRID_MESSAGES_FD";

/** The stream of all messages to the user that are not results. */
export const messages: Writable = streamOf(Number(process.env[MESSAGES_FD_VARIABLE] ?? 2));
messages.on("error", () => messages.destroy()); // nobody reads them: the work goes on, and no write is waited for

function streamOf(fd: number): Writable {
  if (fd === 2) return process.stderr;
  return isatty(fd) ? new WriteStream(fd) : createWriteStream("", { fd, autoClose: false });
}
