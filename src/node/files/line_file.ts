import { open, type FileHandle } from "node:fs/promises";
import { InputError } from "../../runtime/errors.ts";
import { requirePermission } from "./files.ts";
import { writeReasonOf } from "./reasons.ts";
import { openSink, findTarget, writeAll, type Sink } from "./targets.ts";

const BLOCK = 1 << 16;

/** A text file that grows by whole lines: a line is in it to its end or not at all. */
export class LineFile {
  readonly path: string;
  readonly #sink: Sink;
  /** The same as a file; null for a device or a pipe, where nothing can be taken back. */
  readonly #file: FileHandle | null;
  /** Bytes of whole lines. */
  #length = 0;

  private constructor(path: string, sink: Sink, file: FileHandle | null) {
    this.path = path;
    this.#sink = sink;
    this.#file = file;
  }

  /**
   * Opens a file, which is made if it is not there. A last line without its end, as a power cut or a kill leaves it, is
   * cut off.
   * @throws InputError if it cannot be opened for writing
   */
  static async open(path: string): Promise<LineFile> {
    try {
      const target = await findTarget(path);
      if (target.kind !== "file") return new LineFile(path, await openSink(target), null);
      const file = await open(target.path, "a+");
      const lines = new LineFile(path, file, file);
      try {
        await file.truncate((lines.#length = await wholeLines(file)));
      } catch (error) {
        await file.close();
        throw error;
      }
      return lines;
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
    await requirePermission();
    const bytes = Buffer.from(lines);
    try {
      await writeAll(this.#sink, bytes);
      if (durable) await this.#file?.datasync();
    } catch (error) {
      await this.#file?.truncate(this.#length).catch(() => undefined);
      throw new InputError(`cannot write ${this.path}: ${writeReasonOf(error)}`, { cause: error });
    }
    this.#length += bytes.length;
  }

  async close(): Promise<void> {
    await this.#sink.close();
  }
}

/** The bytes up to the end of the last whole line. */
async function wholeLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const block = Buffer.alloc(BLOCK);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - BLOCK);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    const last = block.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (last >= 0) return start + last + 1;
    end = start;
  }
  return 0;
}
