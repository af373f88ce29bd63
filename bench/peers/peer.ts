import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** One library, or one way of using it: a column of the table. */
export interface Library {
  readonly name: string;
  /** File of libraries/. */
  readonly module: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Node's. */
  readonly flags?: readonly string[];
  /** Rows that differ from those of another column. Default: all. */
  readonly only?: RegExp;
  /** Where the problem's does not fit the way of storing. */
  readonly tolerance?: number;
}

export interface Reply {
  readonly error?: string;
  readonly missing?: boolean;
  readonly milliseconds: number;
  readonly outputs: readonly Float32Array[];
}

/** What a process has held at most since its work was prepared. */
export interface MemoryReply {
  /** Buffers made through WebGPU's JavaScript interface and not destroyed. */
  readonly deviceBytes: number;
  /** Growth of the resident set; null where the system does not say. */
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

  /** Asks for one thing and waits for its answer; a process that ends instead is an error with its last words. */
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
