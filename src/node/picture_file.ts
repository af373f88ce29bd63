import { open, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { DecodedImage, PictureParts } from "../io/image.ts";
import type { Rectangle } from "../io/placement.ts";
import { InputError } from "../runtime/errors.ts";
import { newPart, removePart } from "./files/parts.ts";
import { reasonOf } from "./files/reasons.ts";
import { bytesOfSample, largestSample, samplesIn, type Reading, type Samples } from "./samples.ts";

const HEADER_BYTES = 64; // of libvips' own format; its pixels follow, row by row
const KEPT_BYTES = 1 << 27; // of rows that are kept for the next part

type Bytes = Uint8Array<ArrayBuffer>;

/** Some whole rows of a picture. */
interface Rows {
  readonly top: number;
  readonly height: number;
  readonly bytes: Promise<Bytes>;
}

/**
 * A large picture, decoded into a file of its own, of which parts are read. The file has no name any more, where the
 * system allows that, and is gone when the process ends.
 */
export class PictureFile implements PictureParts {
  readonly width: number;
  readonly height: number;
  sampleHigh?: number;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #channels: number;
  readonly #reading: Reading;
  #rows: Rows | null = null; // of the last part

  private constructor(file: FileHandle, path: string, reading: Reading, size: Omit<Samples, "samples">) {
    [this.#file, this.#path, this.#reading] = [file, path, reading];
    [this.width, this.height, this.#channels] = [size.width, size.height, size.channels];
  }

  /**
   * Decodes a picture, row by row.
   * @throws InputError if there is no room for it; what sharp throws
   */
  static async decode(reading: Reading): Promise<PictureFile> {
    const folder = tmpdir();
    const path = newPart(folder, ".v"); // libvips knows its format by this ending
    try {
      const { width, height, channels } = await reading.picture.toFile(path).catch((error: unknown) => {
        if (!/unix error|write failed|unable to open/i.test((error as Error).message)) throw error;
        const remedy = "make room there, or set TMPDIR to another folder";
        throw new InputError(`its pixels cannot be kept in ${folder}, which is full or not writable; ${remedy}`, {
          cause: error,
        });
      });
      const picture = new PictureFile(await open(path), path, reading, { width, height, channels });
      await removePart(path); // where an open file cannot be removed, `close` does
      if (reading.isDeep) picture.sampleHigh = await picture.#largest();
      return picture;
    } catch (error) {
      await removePart(path);
      throw error;
    }
  }

  async read({ left, top, width, height }: Rectangle): Promise<DecodedImage> {
    const { depth, convert } = this.#reading;
    const channels = this.#channels;
    const pixel = channels * bytesOfSample(depth);
    const rowBytes = pixel * this.width;
    const isKept = rowBytes * height <= KEPT_BYTES;
    let part = isKept ? await this.#wholeRows(top, height) : new Uint8Array(pixel * width * height);
    if (!isKept) {
      for (let y = 0; y < height; y++)
        await this.#fill(
          part.subarray(pixel * width * y, pixel * width * (y + 1)),
          rowBytes * (top + y) + pixel * left,
        );
    } else if (width !== this.width) {
      const rows = part;
      part = new Uint8Array(pixel * width * height);
      for (let y = 0; y < height; y++) {
        const from = rowBytes * y + pixel * left;
        part.set(rows.subarray(from, from + pixel * width), pixel * width * y);
      }
    }
    return convert({ width, height, channels, samples: samplesIn(part, depth) });
  }

  async close(): Promise<void> {
    await this.#file.close();
    await removePart(this.#path);
  }

  /** The bytes of some whole rows; those of the last part are kept, as tiles of a row have them in common. */
  #wholeRows(top: number, height: number): Promise<Bytes> {
    if (this.#rows?.top === top && this.#rows.height === height) return this.#rows.bytes;
    const rowBytes = this.width * this.#channels * bytesOfSample(this.#reading.depth);
    const rows = { top, height, bytes: this.#fill(new Uint8Array(rowBytes * height), rowBytes * top) };
    rows.bytes.catch(() => undefined); // thrown where it is awaited
    this.#rows = rows;
    return rows.bytes;
  }

  /** Fills bytes with those of the picture from one on. */
  async #fill(bytes: Bytes, from: number): Promise<Bytes> {
    for (let done = 0; done < bytes.length;) {
      const at = HEADER_BYTES + from + done;
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, at).catch((error: unknown) => {
        throw new InputError(`cannot read ${this.#path}: ${reasonOf(error)}`, { cause: error });
      });
      if (bytesRead === 0) throw new InputError(`${this.#path} has become shorter while it was in use`);
      done += bytesRead;
    }
    return bytes;
  }

  async #largest(): Promise<number> {
    const height = Math.max(1, Math.floor((1 << 20) / this.width));
    let largest = 0;
    for (let top = 0; top < this.height; top += height) {
      const rows = Math.min(height, this.height - top);
      const samples = samplesIn(await this.#wholeRows(top, rows), this.#reading.depth);
      largest = Math.max(
        largest,
        largestSample({ width: this.width, height: rows, channels: this.#channels, samples }),
      );
    }
    return largest;
  }
}
