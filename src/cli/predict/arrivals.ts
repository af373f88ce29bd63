import { stat } from "node:fs/promises";
import { join } from "node:path";
import { byCodeUnits, isImage } from "../../data/tree.ts";
import { InputError } from "../../runtime/errors.ts";
import { listFolder } from "../../node/files/folder_listing.ts";

/** An image that is complete. */
export interface Arrival {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** Identifies an image, also against an earlier one of the same name. */
export const identityOfArrival = ({ path, size, modified }: Arrival): string => `${size} ${modified} ${path}`;

const STATS = 64; // files that are looked at at a time
const SHARE = 0.1; // of the time that listing may take

/**
 * The images in a folder, at any depth, and new ones as they arrive: each once, and again if it has changed. A file is
 * complete when its size and modification time have not changed for a while by this process's own clock; its time may
 * come from another machine, or from a clock that was set back. If the folder disappears, bigrid waits for it.
 *
 * The folder is listed repeatedly rather than watched by events: network drives send none, libraries hold a watch for
 * every file, of which the system has few, and images that arrived between two runs have to be found by listing anyway.
 */
export class Arrivals {
  readonly #folder: string;
  readonly #settle: number;
  readonly #isLeftOut: (path: string) => boolean;
  readonly #given: Set<string>;
  readonly #onTrouble: (reason: string | null) => void;
  #isGone = false;
  #seen = new Map<string, number>(); // what is not complete, by its identity, and since when it has been so
  #wake: () => void = () => undefined;
  #ended = false;

  /**
   * @param settle milliseconds without a change after which a file counts as complete
   * @param isLeftOut true for a path that is no input
   * @param given identities of images that are already done
   * @param onTrouble called once with the reason when the folder cannot be listed, and with null when it can be again
   */
  constructor(
    folder: string,
    settle: number,
    isLeftOut: (path: string) => boolean,
    given: Iterable<string>,
    onTrouble: (reason: string | null) => void = () => undefined,
  ) {
    this.#folder = folder;
    this.#settle = settle;
    this.#isLeftOut = isLeftOut;
    this.#given = new Set(given);
    this.#onTrouble = onTrouble;
  }

  /** Waits for the next images and returns all of them in path order; none if `end` was called. */
  async next(): Promise<readonly Arrival[]> {
    while (!this.#ended) {
      const began = performance.now();
      const complete = await this.#complete();
      if (complete.length > 0) return complete;
      await this.#wait(Math.max(this.#settle / 2, (performance.now() - began) / SHARE));
    }
    return [];
  }

  /** Forgets an image, so that it is returned again once it is complete. */
  forget(identity: string): void {
    this.#given.delete(identity);
  }

  /** Ends waiting, now and later. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #complete(): Promise<Arrival[]> {
    const files = await this.#listed();
    if (!files) return [];
    const paths = files
      .map((path) => join(this.#folder, path))
      .filter((path) => isImage(path) && !this.#isLeftOut(path));
    const complete: Arrival[] = [];
    const seen = new Map<string, number>();
    for (let first = 0; first < paths.length; first += STATS) {
      const group = paths.slice(first, first + STATS);
      const found = await Promise.all(group.map((path) => stat(path).catch(() => null))); // null: gone again
      const now = performance.now();
      for (const [i, path] of group.entries()) {
        const arrival = found[i] && { path, size: found[i].size, modified: found[i].mtimeMs };
        if (!arrival || this.#given.has(identityOfArrival(arrival))) continue;
        const identity = identityOfArrival(arrival);
        const since = this.#seen.get(identity) ?? now;
        if (now - since >= this.#settle) complete.push(arrival);
        else seen.set(identity, since);
      }
    }
    this.#seen = seen;
    for (const arrival of complete) this.#given.add(identityOfArrival(arrival));
    return complete.sort((a, b) => byCodeUnits(a.path, b.path));
  }

  /** The folder's files; null while it cannot be listed. */
  async #listed(): Promise<readonly string[] | null> {
    try {
      const { files } = await listFolder(this.#folder);
      if (this.#isGone) this.#onTrouble(null);
      this.#isGone = false;
      return files;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (!this.#isGone) this.#onTrouble(error.message);
      this.#isGone = true;
      return null;
    }
  }

  async #wait(milliseconds: number): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
