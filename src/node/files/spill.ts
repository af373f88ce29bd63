import { open, type FileHandle } from "node:fs/promises";
import type { Spill } from "../../detection/feature_store.ts";
import { InputError } from "../../runtime/errors.ts";
import { reasonOf } from "./reasons.ts";
import { newPart, removePart } from "./parts.ts";

/** Records in a file of their own in a folder, which exists from the first one until `close`. */
export class SpillFile implements Spill {
  readonly #path: string;
  #file: FileHandle | null = null;

  constructor(folder: string) {
    this.#path = newPart(folder);
  }

  readonly write = async (index: number, record: Uint8Array): Promise<void> => {
    try {
      this.#file ??= await open(this.#path, "wx+");
      await this.#file.write(record, 0, record.length, index * record.length);
    } catch (error) {
      const remedy = "allow more device memory (option featureBudget), or choose another folder";
      throw new InputError(`cannot keep features in ${this.#path}: ${reasonOf(error)}; ${remedy}`, { cause: error });
    }
    this.#recordBytes = record.length;
  };

  readonly read = async (index: number): Promise<Uint8Array> => {
    const record = new Uint8Array(this.#recordBytes);
    const { bytesRead } = await this.#file!.read(record, 0, record.length, index * record.length);
    if (bytesRead !== record.length)
      throw new InputError(`${this.#path} has become shorter while it was in use; train again`);
    return record;
  };

  /** Removes the file. */
  async close(): Promise<void> {
    await this.#file?.close().catch(() => undefined); // nobody needs what is in it
    await removePart(this.#path);
    this.#file = null;
  }

  #recordBytes = 0;
}
