import { HUB_URL, pathsInfo } from "@huggingface/hub";
import { sha256Of } from "../../src/browser/weights.ts";
import { repositoryOf, type PretrainedName } from "../../src/backbones/registry.ts";
import { InputError } from "../../src/runtime/errors.ts";

const FILE = "model.safetensors";

/**
 * A network's public weights from the hub.
 * @param onProgress bytes there so far, and in all
 * @throws InputError if the hub cannot be reached, or sends something else than it states
 */
export async function downloadWeights(name: PretrainedName, onProgress: (done: number, total: number) => void): Promise<Blob> {
  const repo = repositoryOf(name);
  try {
    const [info] = await pathsInfo({ repo, paths: [FILE], expand: true });
    if (!info?.lfs) throw new InputError(`${repo} has no ${FILE} on the hub`);
    const { size, oid } = info.lfs;
    const response = await fetch(`${HUB_URL}/${repo}/resolve/${info.lastCommit.id}/${FILE}`);
    if (!response.ok || !response.body) throw new InputError(`the hub answered ${response.status} ${response.statusText}`);
    let done = 0;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        onProgress((done += chunk.length), size);
        controller.enqueue(chunk);
      },
    });
    const file = await new Response(response.body.pipeThrough(counted)).blob();
    const sha256 = await sha256Of(file);
    if (sha256 !== oid) throw new InputError(`what came has SHA-256 ${sha256}, the hub states ${oid}; try again`);
    return file;
  } catch (error) {
    throw new InputError(`cannot download ${repo}/${FILE} (${(error as Error).message}); fetch it by other means and choose the file`, { cause: error });
  }
}
