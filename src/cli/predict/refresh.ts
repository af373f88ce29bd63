import { setTimeout as pause } from "node:timers/promises";

const LEAST_REST = 1000; // milliseconds
const REST = 9; // times as long as a write took nothing is written after it: a tenth of the time at most

/** Keeps a file current that can only be written whole: anew whenever something has changed, but not all the time. */
export class Refresh {
  readonly #write: () => Promise<void>;
  readonly #onFailure: () => void;
  readonly #ending = new AbortController();
  #stale = false;
  #running: Promise<void> | null = null;
  #failure: Error | null = null;

  /** @param onFailure called when it could not be written; `end` throws why then */
  constructor(write: () => Promise<void>, onFailure: () => void) {
    this.#write = write;
    this.#onFailure = onFailure;
  }

  /** Marks the file as stale; it is rewritten soon. */
  changed(): void {
    this.#stale = true;
    this.#running ??= this.#refresh();
  }

  /**
   * Leaves the file as current as it is, and ends.
   * @throws what writing it threw
   */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    if (this.#failure) throw this.#failure;
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#ending;
    try {
      while (this.#stale && !signal.aborted) {
        this.#stale = false;
        const began = performance.now();
        await this.#write();
        await pause(Math.max(LEAST_REST, REST * (performance.now() - began)), undefined, { signal }).catch(
          () => undefined,
        );
      }
      this.#running = null;
    } catch (error) {
      this.#failure = error as Error; // and it stays running: nothing more is written
      this.#onFailure();
    }
  }
}
