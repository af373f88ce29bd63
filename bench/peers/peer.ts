import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** One library, or one way of using it: a column of the table. */
export interface Library {
  readonly name: string;
  /** Name of its file in libraries/. */
  readonly module: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Command-line flags of Node. */
  readonly flags?: readonly string[];
  /** Rows to run if the others equal those of another column. Default: all. */
  readonly only?: RegExp;
  /** Tolerance, if the problem's does not suit the storage type. */
  readonly tolerance?: number;
}

export interface Reply {
  readonly error?: string;
  readonly missing?: boolean;
  readonly milliseconds: number;
  readonly outputs: readonly Float32Array[];
}

/** Peak memory of a process since its work was prepared. */
export interface MemoryReply {
  /** Bytes of live buffers created through WebGPU's JavaScript interface. */
  readonly deviceBytes: number;
  /** Growth of the resident set, in bytes; null if the system does not report it. */
  readonly residentBytes: number | null;
}

/** A library in a process of its own. */
export class Peer {
  readonly #child: ChildProcess;
  #said = "";

  constructor({ module, options = {}, flags = [] }: Library) {
    this.#child = fork(WORKER, [module, JSON.stringify(options)], {
      serialization: "advanced",
      execArgv: [...flags],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (text: Buffer) => (this.#said = (this.#said + text.toString()).slice(-2000)));
  }

  /** Sends one request and waits for the answer; if the process ends instead, throws an error with its last output. */
  ask<T>(message: object): Promise<T & { readonly error?: string }> {
    return new Promise((resolve) => {
      const done = (reply: unknown): void => {
        this.#child.off("message", done).off("exit", ended);
        resolve(reply as T & { readonly error?: string });
      };
      const ended = (code: number | null, signal: string | null): void =>
        done({ error: `ended with ${signal ?? code}: ${this.#said.trim().split("\n").at(-1)}` });
      this.#child.on("message", done).on("exit", ended);
      this.#child.send(message);
    });
  }

  close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.kill("SIGKILL"); // Dawn and the libraries keep the process alive otherwise
    });
  }
}
