import { openWeightsFrom, type PretrainedWeights } from "../backbones/weights.ts";

/**
 * Opens a safetensors file of weights that the page was given: hashes all of it now, and reads each tensor when it is
 * asked for.
 * @param options `name`: for errors
 * @throws InputError if it is no safetensors file
 */
export async function openWeights(
  file: Blob,
  { name = file instanceof File ? file.name : "the weights" }: { readonly name?: string } = {},
): Promise<PretrainedWeights> {
  const read = async (first: number, bytes: number) =>
    new Uint8Array(await file.slice(first, first + bytes).arrayBuffer());
  return openWeightsFrom({ name, bytes: file.size, sha256: await hashFile(file), read });
}

/** Returns the SHA-256 of a file's contents, in hexadecimal digits. */
export async function hashFile(file: Blob): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
