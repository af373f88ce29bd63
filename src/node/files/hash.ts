import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { InputError } from "../../runtime/errors.ts";
import { openRegularFile } from "./read.ts";
import { reasonOf } from "./reasons.ts";

/** Options of reading a large file. */
export interface ReadOptions {
  /** Ends the reading: the signal's reason is thrown. */
  readonly signal?: AbortSignal | null | undefined;
  /** Called while the file is hashed, with the bytes that were read and those of the file. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** SHA-256 of bytes, in hexadecimal digits. */
export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * SHA-256 of a file's contents, in hexadecimal digits.
 * @param name for errors
 * @throws InputError if it cannot be read, or is not a file; the signal's reason
 */
export async function hashFile(
  path: string,
  { signal, onProgress = () => undefined }: ReadOptions = {},
  name = path,
): Promise<string> {
  const hash = createHash("sha256");
  const file = await openRegularFile(path, name);
  const { size: total } = await file.stat();
  const stream = file.createReadStream();
  stream.on("data", () => onProgress({ done: stream.bytesRead, total }));
  await pipeline(stream, hash, { signal: signal ?? undefined }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new InputError(`cannot read ${name}: ${reasonOf(error)}`, { cause: error });
  });
  return hash.digest("hex");
}
