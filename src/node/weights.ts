import { openWeightsFrom, type PretrainedWeights } from "../backbones/weights.ts";
import { InputError } from "../runtime/errors.ts";
import { hashFile, type ReadOptions } from "./files/hash.ts";
import { openRegularFile } from "./files/read.ts";
import { reasonOf } from "./files/reasons.ts";

/**
 * Opens a safetensors file of weights: reads its header and hashes all of it now, in pieces, and reads each tensor when
 * it is asked for.
 * @throws InputError if it cannot be read, or is no safetensors file; the signal's reason
 */
export async function openWeights(path: string, options: ReadOptions = {}): Promise<PretrainedWeights> {
  return openHashed(path, await hashFile(path, options, `the weights ${path}`), options);
}

/**
 * The same, of a file whose SHA-256 is known.
 * @throws as `openWeights`
 */
export async function openHashed(
  path: string,
  sha256: string,
  { signal }: ReadOptions = {},
): Promise<PretrainedWeights> {
  const read = async (first: number, bytes: number): Promise<Uint8Array> => {
    signal?.throwIfAborted();
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
    return await openWeightsFrom({ name: path, bytes: size, sha256, read });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot read the weights ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
