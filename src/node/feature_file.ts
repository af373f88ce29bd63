import { constants } from "node:fs";
import { open, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Size } from "../io/placement.ts";
import { InputError } from "../runtime/errors.ts";
import { ensureFolder } from "./files/files.ts";
import { hashOf } from "./files/hash.ts";
import { Journal, readEntries } from "./files/journal.ts";
import { reasonOf, writeReasonOf } from "./files/reasons.ts";

/** A picture of which features are kept. */
export interface KeptPicture extends Size {
  /** Its path, relative to the dataset's root. */
  readonly path: string;
  /** Its file's size and time: with another stamp it is another picture. */
  readonly stamp: string;
  /** True if it shows one even colour. */
  readonly even: boolean;
  /** Time that its features took, with decoding. */
  readonly seconds: number;
  /** Records that its features are: one, or one for each of its tiles. */
  readonly records: number;
}

interface Entry extends KeptPicture {
  /** Number of its first record. */
  readonly at: number;
}

interface Header {
  readonly format: "bigrid-features";
  readonly key: string;
  /** Values of a record: an image's features, or a tile's. */
  readonly count: number;
}

const HASH_DIGITS = 12;

/**
 * Features of pictures, in two files: the records, and a journal that says of which picture each is. One that was added
 * is there after a kill. Only one process at a time can have them open.
 */
export class FeatureFile {
  readonly #path: string;
  readonly #journal: Journal<Entry>;
  readonly #records: FileHandle;
  readonly #bytes: number;
  readonly #entries = new Map<string, Entry>();
  #next = 0;

  private constructor(path: string, journal: Journal<Entry>, records: FileHandle, count: number) {
    [this.#path, this.#journal, this.#records, this.#bytes] = [path, journal, records, 4 * count];
  }

  /**
   * Opens a key's files in a folder, or makes them: `NAME-HASH.jsonl` and `NAME-HASH.f32`.
   * @param key identifies what made the features, but for the picture
   * @param count values of each record
   * @throws InputError if they are of another key, cannot be written, or another process has them open
   */
  static async open(folder: string, name: string, key: string, count: number): Promise<FeatureFile> {
    const path = join(folder, `${name}-${hashOf(Buffer.from(key)).slice(0, HASH_DIGITS)}`);
    await ensureFolder(folder);
    const own: Header = { format: "bigrid-features", key, count };
    const { journal, header } = await Journal.open<Header, Entry>(`${path}.jsonl`, own);
    const data = `${path}.f32`;
    let records: FileHandle | null = null;
    try {
      if (JSON.stringify(header) !== JSON.stringify(own))
        throw new InputError(`${path}.jsonl is of other features: remove it`);
      records = await open(data, constants.O_RDWR | constants.O_CREAT).catch((error: unknown) => {
        throw new InputError(`cannot write ${data}: ${writeReasonOf(error)}`, { cause: error });
      });
      const file = new FeatureFile(data, journal, records, count);
      for await (const entry of readEntries<Entry>(journal.path)) file.#note(entry);
      if (file.#next * file.#bytes <= (await records.stat()).size) return file;
    } catch (error) {
      await records?.close();
      await journal.close();
      throw error;
    }
    // The records were removed or cut off, and the journal no longer says which are whole: all are made anew.
    await records.close();
    await journal.remove();
    await rm(data, { force: true });
    return FeatureFile.open(folder, name, key, count);
  }

  /** A picture whose features are kept; null if there is none of that path and stamp. */
  find(path: string, stamp: string): KeptPicture | null {
    const entry = this.#entries.get(path);
    return entry?.stamp === stamp ? entry : null;
  }

  /**
   * Keeps a picture's features, durably; they replace those of an earlier picture of its path.
   * @param features its records, which are asked for one after another
   * @param pictureOf describes the picture when all have come
   * @throws InputError if they cannot be written
   */
  async add(features: AsyncIterable<Float32Array>, pictureOf: () => Omit<KeptPicture, "records">): Promise<void> {
    const at = this.#next;
    for await (const record of features) {
      const bytes = new Uint8Array(record.buffer, record.byteOffset, record.byteLength);
      await this.#writing(async () => {
        for (let done = 0, to = this.#next * this.#bytes; done < bytes.length;)
          done += (await this.#records.write(bytes, done, bytes.length - done, to + done)).bytesWritten;
      });
      this.#next++;
    }
    await this.#writing(() => this.#records.datasync());
    const entry = { ...pictureOf(), records: this.#next - at, at };
    await this.#journal.append([entry]); // behind its records: what is in the journal can be read
    this.#entries.set(entry.path, entry);
  }

  async #writing(write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      throw new InputError(`cannot write ${this.#path}: ${writeReasonOf(error)}`, { cause: error });
    });
  }

  /**
   * Features of a picture that is kept.
   * @param nth of its records
   * @throws InputError if they are not, or can no longer be read
   */
  async read({ path }: Pick<KeptPicture, "path">, nth = 0): Promise<Float32Array> {
    const entry = this.#entries.get(path);
    if (!entry || nth >= entry.records) throw new InputError(`${this.#path} has no features of ${path}`);
    const record = new Uint8Array(this.#bytes);
    const { bytesRead } = await this.#records
      .read(record, 0, record.length, (entry.at + nth) * this.#bytes)
      .catch((error: unknown) => {
        throw new InputError(`cannot read ${this.#path}: ${reasonOf(error)}`, { cause: error });
      });
    if (bytesRead !== record.length)
      throw new InputError(`${this.#path} has become shorter while it was in use: run the command again`);
    return new Float32Array(record.buffer);
  }

  async close(): Promise<void> {
    await this.#records.close();
    await this.#journal.close();
  }

  #note(read: Entry): void {
    const entry = { ...read, records: (read as Partial<Entry>).records ?? 1 }; // absent in older files
    this.#entries.set(entry.path, entry);
    this.#next = Math.max(this.#next, entry.at + entry.records);
  }
}

/**
 * The stamp of a file as it is now.
 * @throws InputError if it cannot be looked at
 */
export async function stampOf(path: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    throw new InputError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  });
  return `${found.size} ${found.mtimeMs}`;
}
