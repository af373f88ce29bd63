import { open, type FileHandle } from "node:fs/promises";
import { InputError } from "../runtime/errors.ts";
import { isSpecialFile, writeReasonOf } from "./files.ts";

const BLOCK = 1 << 16;

/** A text file that grows by whole lines: a line is in it to its end or not at all. */
export class LineFile {
  readonly path: string;
  readonly #file: FileHandle;
  /** Bytes of whole lines; null for a device or a pipe, where nothing can be taken back. */
  #length: number | null;

  private constructor(path: string, file: FileHandle, length: number | null) {
    this.path = path;
    this.#file = file;
    this.#length = length;
  }

  /**
   * Opens a file, which is made if it is not there. A last line without its end, as a power cut or a kill leaves it, is cut off.
   * @throws InputError if it cannot be opened for writing
   */
  static async open(path: string): Promise<LineFile> {
    try {
      if (await isSpecialFile(path)) return new LineFile(path, await open(path, "a"), null);
      const file = await open(path, "a+");
      const length = await wholeLines(file);
      await file.truncate(length);
      return new LineFile(path, file, length);
    } catch (error) {
      throw new InputError(`cannot write ${path}: ${writeReasonOf(error)}`, { cause: error });
    }
  }

  /**
   * Adds lines, all of them or none.
   * @param lines each with its end
   * @param durable whether to return only when they would outlast a power cut
   * @throws InputError if that is not possible; the file is as it was then
   */
  async append(lines: string, durable = false): Promise<void> {
    const bytes = Buffer.from(lines);
    try {
      for (let written = 0; written < bytes.length; ) written += (await this.#file.write(bytes, written)).bytesWritten;
      if (durable && this.#length !== null) await this.#file.datasync();
    } catch (error) {
      if (this.#length !== null) await this.#file.truncate(this.#length).catch(() => undefined);
      throw new InputError(`cannot write ${this.path}: ${writeReasonOf(error)}`, { cause: error });
    }
    if (this.#length !== null) this.#length += bytes.length;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The bytes up to the end of the last whole line. */
async function wholeLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const block = Buffer.alloc(BLOCK);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    const last = block.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (last >= 0) return start + last + 1;
    end = start;
  }
  return 0;
}
