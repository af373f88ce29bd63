import { stat } from "node:fs/promises";
import { join } from "node:path";
import { byCodeUnits, isImage } from "../data/tree.ts";
import { InputError } from "../runtime/errors.ts";
import { listFolder } from "./files/folder_listing.ts";

/** An image that is there in full. */
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
 * The images that are in a folder, at any depth, and those that come into it: each once, again if it has changed. One
 * is there in full when its size and its time have been the same for a while, by this process's own clock: what its
 * time says may be another machine's, or older than a clock that was set back. A folder that is gone for a while is
 * waited for.
 *
 * The folder is listed again and again rather than watched: events do not come from network drives, libraries for them
 * hold a watch for every file, of which the system has few, and events that were missed while nobody ran are found by
 * listing anyway.
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
   * @param settle milliseconds without a change after which a file is taken to be complete
   * @param isLeftOut says of a path whether it is no input
   * @param given identities of images that are not to be told again
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

  /** The next images, as many as there are, in the order of their paths; none if `end` was called. */
  async next(): Promise<readonly Arrival[]> {
    while (!this.#ended) {
      const began = performance.now();
      const complete = await this.#complete();
      if (complete.length > 0) return complete;
      await this.#wait(Math.max(this.#settle / 2, (performance.now() - began) / SHARE));
    }
    return [];
  }

  /** Takes back that the image of an identity was told: it comes again when it is there. */
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
