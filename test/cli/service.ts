// The service as tests use it: in this process, as a second one, and by bytes on a socket.
import { spawn, type ChildProcess } from "node:child_process";
import { connect, type Socket } from "node:net";
import { PROGRAM } from "./program.ts";

/** A service in a second process. */
export interface Started {
  /** Its address, with a slash at the end. */
  readonly url: string;
  readonly child: ChildProcess;
  /** Its messages so far. */
  readonly said: () => string;
  /** Resolves when it has ended. */
  readonly end: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Starts `bigrid serve` at a free port, and waits for its address. @throws Error with its messages if it ends */
export async function startService(words: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [PROGRAM, "serve", ...words, "--port", "0"]);
  let [stdout, stderr] = ["", ""];
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const end: Started["end"] = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString();
      const [, address] = /: (http:\/\/\S+)\n/.exec(stdout) ?? [];
      if (address) resolve(address);
    });
    void end.then(({ code }) => reject(new Error(`it ended with ${code}: ${stderr}`)));
  });
  return { url, child, said: () => stderr, end };
}

/** A connection on which bytes are sent as they are. */
export interface Wire {
  readonly socket: Socket;
  /** Everything that was answered, once the service has closed the connection. */
  readonly answer: Promise<string>;
}

/** Opens a connection to a service, and sends a text. */
export function wire(url: string, text: string | Uint8Array): Wire {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  let received = "";
  socket.on("data", (data) => (received += data.toString("latin1")));
  socket.on("error", () => undefined); // closed with bytes unread
  const answer = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  socket.write(text);
  return { socket, answer };
}

/** The status and the error that an answer's bytes have. */
export function statusAndError(answer: string): readonly [status: number, error: string] {
  const [head, body] = answer.split("\r\n\r\n") as [string, string];
  return [Number(head.split(" ")[1]), (JSON.parse(body) as { error: string }).error];
}
