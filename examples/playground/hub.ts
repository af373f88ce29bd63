import { HUB_URL, pathsInfo } from "@huggingface/hub";
import {
  bodyOf,
  excerptOf,
  fetchDescription,
  Patience,
  requireFile,
  statedWeights,
  WEIGHTS_FILE,
} from "../../src/io/hub.ts";
import { hashFile } from "../../src/browser/weights.ts";
import { repositoryOf, type PretrainedName } from "../../src/backbones/registry.ts";
import { InputError } from "../../src/runtime/errors.ts";

/**
 * A network's public weights from the hub. It may send the page on for them: their hash is checked.
 * @param onProgress bytes there so far, and in all
 * @throws InputError if the hub cannot be reached, is silent, or sends something else than it states
 */
export async function downloadWeights(
  name: PretrainedName,
  onProgress: (done: number, total: number) => void,
): Promise<Blob> {
  const repo = repositoryOf(name);
  try {
    const patience = new Patience();
    const { commit, sha256, size } = statedWeights(
      repo,
      await pathsInfo({ repo, paths: [WEIGHTS_FILE], expand: true, fetch: fetchDescription(patience, fetch) }),
    );
    const address = `${HUB_URL}/${repo}/resolve/${commit}/${WEIGHTS_FILE}`;
    const response = await patience.for(fetch(address, { signal: patience.signal }));
    requireFile(response, address);
    const parts: BlobPart[] = [];
    let done = 0;
    for await (const part of bodyOf(response, size, patience)) {
      parts.push(part as Uint8Array<ArrayBuffer>);
      onProgress((done += part.length), size);
    }
    if (done !== size) throw new InputError(`${done} of ${size} bytes came`);
    const file = new Blob(parts);
    const got = await hashFile(file);
    if (got !== sha256) throw new InputError(`what came has SHA-256 ${got}, the hub states ${sha256}; try again`);
    return file;
  } catch (error) {
    throw new InputError(
      `cannot download ${repo}/${WEIGHTS_FILE} (${excerptOf((error as Error).message)}); fetch it by other means and choose the file`,
      { cause: error },
    );
  }
}
