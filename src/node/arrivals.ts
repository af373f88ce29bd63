import { stat } from "node:fs/promises";
import { join } from "node:path";
import { byCodeUnits, isImage } from "../data/tree.ts";
import { listFolder } from "./folder_listing.ts";

/** An image that is there in full. */
export interface Arrival {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** What tells an image from others, and from one that was there under its name before. */
export const identityOf = ({ path, size, modified }: Arrival): string => `${size} ${modified} ${path}`;

const STATS = 64; // files that are looked at at a time
const SHARE = 0.1; // of the time that listing may take

/**
 * The images that are in a folder, at any depth, and those that come into it: each once, again if it has changed. One is
 * there in full when nobody has written to it for a while; one that is moved into the folder, at once.
 *
 * The folder is listed again and again rather than watched: events do not come from network drives, libraries for them hold a
 * watch for every file, of which the system has few, and events that were missed while nobody ran are found by listing anyway.
 */
export class Arrivals {
  readonly #folder: string;
  readonly #settle: number;
  readonly #isLeftOut: (path: string) => boolean;
  readonly #given: Set<string>;
  #seen = new Map<string, number>(); // what is not complete, by its identity, and since when it has been so
  #wake: () => void = () => undefined;
  #ended = false;

  /**
   * @param settle milliseconds without a change after which a file is taken to be complete
   * @param isLeftOut says of a path whether it is no input
   * @param given identities of images that are not to be told again
   */
  constructor(folder: string, settle: number, isLeftOut: (path: string) => boolean, given: Iterable<string>) {
    this.#folder = folder;
    this.#settle = settle;
    this.#isLeftOut = isLeftOut;
    this.#given = new Set(given);
  }

  /**
   * The next images, as many as there are, in the order of their paths; none if `end` was called.
   * @throws InputError if the folder cannot be listed
   */
  async next(): Promise<readonly Arrival[]> {
    while (!this.#ended) {
      const began = performance.now();
      const complete = await this.#complete();
      if (complete.length > 0) return complete;
      await this.#wait(Math.max(this.#settle / 2, (performance.now() - began) / SHARE));
    }
    return [];
  }

  /** Ends waiting, now and later. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #complete(): Promise<Arrival[]> {
    const { files } = await listFolder(this.#folder);
    const paths = files.map((path) => join(this.#folder, path)).filter((path) => isImage(path) && !this.#isLeftOut(path));
    const complete: Arrival[] = [];
    const seen = new Map<string, number>();
    for (let first = 0; first < paths.length; first += STATS) {
      const group = paths.slice(first, first + STATS);
      const found = await Promise.all(group.map((path) => stat(path).catch(() => null))); // null: gone again
      const now = Date.now();
      for (const [i, path] of group.entries()) {
        const arrival = found[i] && { path, size: found[i].size, modified: found[i].mtimeMs };
        if (!arrival || this.#given.has(identityOf(arrival))) continue;
        const identity = identityOf(arrival);
        const since = this.#seen.get(identity) ?? now;
        // A file's own time says most; but its clock may be another's.
        if (now - arrival.modified >= this.#settle || now - since >= this.#settle) complete.push(arrival);
        else seen.set(identity, since);
      }
    }
    this.#seen = seen;
    for (const arrival of complete) this.#given.add(identityOf(arrival));
    return complete.sort((a, b) => byCodeUnits(a.path, b.path));
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
