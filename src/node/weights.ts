import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { openWeightsFrom, type PretrainedWeights } from "../backbones/weights.ts";
import { InputError } from "../runtime/errors.ts";
import { openRegularFile } from "./files/read.ts";
import { reasonOf } from "./files/reasons.ts";

/** Options of opening a file of weights. */
export interface OpenWeightsOptions {
  /** Ends the reading: the signal's reason is thrown. */
  readonly signal?: AbortSignal | null | undefined;
  /** Called while the file is hashed, with the bytes that were read and those of the file. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/**
 * Opens a safetensors file of weights: reads its header and hashes all of it now, in pieces, and reads each tensor when
 * it is asked for.
 * @throws InputError if it cannot be read, or is no safetensors file; the signal's reason
 */
export async function openWeights(path: string, options: OpenWeightsOptions = {}): Promise<PretrainedWeights> {
  const read = async (first: number, bytes: number): Promise<Uint8Array> => {
    options.signal?.throwIfAborted();
    const file = await openRegularFile(path);
    try {
      const data = new Uint8Array(bytes);
      const { bytesRead } = await file.read(data, 0, bytes, first);
      return data.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  };
  try {
    const file = await openRegularFile(path, `the weights ${path}`);
    const { size } = await file.stat().finally(() => file.close());
    return await openWeightsFrom({ name: path, bytes: size, sha256: await hashFile(path, options), read });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot read the weights ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * SHA-256 of a file's contents, in hexadecimal digits.
 * @throws InputError if it cannot be opened, or is not a file; the signal's reason
 */
export async function hashFile(
  path: string,
  { signal, onProgress = () => undefined }: OpenWeightsOptions = {},
): Promise<string> {
  const hash = createHash("sha256");
  const file = await openRegularFile(path);
  const { size: total } = await file.stat();
  const stream = file.createReadStream();
  stream.on("data", () => onProgress({ done: stream.bytesRead, total }));
  await pipeline(stream, hash, { signal: signal ?? undefined });
  return hash.digest("hex");
}
