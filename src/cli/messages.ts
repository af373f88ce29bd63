import { createWriteStream } from "node:fs";
import { isatty, WriteStream } from "node:tty";

/** Names the descriptor that messages go to; without it, standard error. */
export const MESSAGES_FD_VARIABLE = "BIGRID_MESSAGES_FD";

/** Where everything goes that is said to the user and is no result. */
export const messages: NodeJS.WritableStream = streamOf(Number(process.env[MESSAGES_FD_VARIABLE] ?? 2));
messages.on("error", () => undefined); // nobody reads them: the work goes on

function streamOf(fd: number): NodeJS.WritableStream {
  if (fd === 2) return process.stderr;
  return isatty(fd) ? new WriteStream(fd) : createWriteStream("", { fd, autoClose: false });
}
