import { rm } from "node:fs/promises";
import { parseJson, RECORD } from "../../io/json.ts";
import { InputError } from "../../runtime/errors.ts";
import { openRegularFile } from "./read.ts";
import { LineFile } from "./line_file.ts";
import { lockFile, type Lock } from "./lock.ts";

/**
 * A journal of finished work: JSON lines, the first of which is a header. Entries are durable once `append` has
 * returned; of an interrupted `append`, no entry is there. Only one process at a time can have a journal open.
 */
export class Journal<Entry> {
  readonly path: string;
  readonly #lines: LineFile;
  readonly #lock: Lock;

  private constructor(path: string, lines: LineFile, lock: Lock) {
    this.path = path;
    this.#lines = lines;
    this.#lock = lock;
  }

  /**
   * Opens a journal; creates it with `header` if there is none.
   * @returns the journal and its header
   * @throws InputError if it cannot be written, is another file, or another process has it open
   */
  static async open<Header, Entry>(
    path: string,
    header: Header,
  ): Promise<{ readonly journal: Journal<Entry>; readonly header: Header }> {
    const lock = await lockFile(path);
    try {
      const found = await readHeader<Header>(path); // before anything is cut off what may be another file
      const lines = await LineFile.open(path);
      if (found === null) await lines.append(`${JSON.stringify(header)}\n`, true);
      return { journal: new Journal<Entry>(path, lines, lock), header: found ?? header };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Adds entries, durably, all of them or none. */
  async append(entries: readonly Entry[]): Promise<void> {
    await this.#lines.append(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), true);
  }

  async close(): Promise<void> {
    await this.#lines.close();
    await this.#lock.release();
  }

  /** Closes it and removes its file. */
  async remove(): Promise<void> {
    await this.#lines.close();
    await rm(this.path, { force: true });
    await this.#lock.release();
  }
}

/**
 * The header of a journal's file; null if there is no file, or no whole line in it.
 * @throws InputError if it is no journal
 */
export async function readHeader<Header>(path: string): Promise<Header | null> {
  for await (const line of linesOf(path)) return parsed<Header>(line, path, 1);
  return null;
}

/**
 * The entries of a journal's file, in order; a last line without its end is left out.
 * @throws InputError if it cannot be read, or a line is no JSON object
 */
export async function* readEntries<Entry>(path: string): AsyncGenerator<Entry> {
  let number = 0;
  for await (const line of linesOf(path)) if (++number > 1) yield parsed<Entry>(line, path, number);
}

function parsed<T>(line: string, path: string, number: number): T {
  try {
    const value = parseJson(line, RECORD) as T;
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // as below
  }
  throw new InputError(
    `${path} is no journal, or was changed by another program: line ${number} is no JSON object; move it away to start again`,
  );
}

/** The whole lines of a file, without their ends; none if there is no file. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await openRegularFile(path).catch((error: Error) => {
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return null;
    throw error;
  });
  if (!file) return;
  let rest = "";
  try {
    for await (const text of file.createReadStream({ encoding: "utf8", autoClose: false }) as AsyncIterable<string>) {
      const lines = text.split("\n");
      // searching only the new part for line ends keeps long lines linear
      lines[0] = rest + lines[0]!;
      rest = lines.pop()!;
      yield* lines;
    }
  } finally {
    await file.close();
  }
}
