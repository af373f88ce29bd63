import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { getHFHubCachePath, getRepoFolderName, HUB_URL, pathsInfo } from "@huggingface/hub";
import { repositoryOf, type PretrainedName } from "../backbones/registry.ts";
import { InputError } from "../runtime/errors.ts";
import { reasonOf, writeFileAtomic } from "./files.ts";
import { sha256Of } from "./weights.ts";

const FILE = "model.safetensors";
const REVISION = "main";
const ATTEMPTS = 5; // after cut connections, each going on where the last one ended

export interface HubOptions {
  /** Root of the hub. Default: HF_ENDPOINT, else the public hub. */
  readonly url?: string;
  /** Root of the cache. Default: where that ecosystem keeps it (HF_HUB_CACHE, HF_HOME). */
  readonly cache?: string;
}

/** Where a network's weights lie in the hub's cache, or null. */
export async function cachedWeights(name: PretrainedName, { cache = getHFHubCachePath() }: HubOptions = {}): Promise<string | null> {
  const folder = folderOf(name, cache);
  const commit = await readFile(join(folder, "refs", REVISION), "utf8").catch(() => null);
  if (!commit) return null;
  const path = join(folder, "snapshots", commit.trim(), FILE);
  return (await stat(path).catch(() => null)) ? path : null;
}

/**
 * Downloads a network's public weights into the hub's cache, in its layout. A download that was cut goes on where it ended;
 * size and SHA-256 are checked against what the hub states.
 *
 * @param onProgress bytes there so far, and in all
 * @returns the file's path
 * @throws InputError if the hub cannot be reached (with what to fetch and where to put it), or the file is not what it states
 */
export async function downloadWeights(name: PretrainedName, onProgress: (done: number, total: number) => void, options: HubOptions = {}): Promise<string> {
  const { url = process.env["HF_ENDPOINT"], cache = getHFHubCachePath() } = options;
  const repository = repositoryOf(name);
  const folder = folderOf(name, cache);
  const [info] = await pathsInfo({ repo: repository, paths: [FILE], expand: true, revision: REVISION, ...(url && { hubUrl: url }) }).catch((error: unknown) => {
    throw new InputError(
      `cannot reach the hub for ${repository} (${causeOf(error)}); fetch its ${FILE} where there is a network and name it with --weights`,
      { cause: error },
    );
  });
  if (!info?.lfs) throw new InputError(`${repository} has no ${FILE} on the hub; name a file of the weights with --weights`);
  const { oid: sha256, size } = info.lfs;
  const blob = join(folder, "blobs", sha256);
  const snapshot = join(folder, "snapshots", info.lastCommit.id, FILE);
  await ensureFolders(blob, snapshot);
  if (!(await hasSize(blob, size))) {
    const address = `${url ?? HUB_URL}/${repository}/resolve/${info.lastCommit.id}/${FILE}`;
    await fetchResumed(address, `${blob}.incomplete`, size, onProgress);
    const got = await sha256Of(`${blob}.incomplete`);
    if (got !== sha256) {
      await rm(`${blob}.incomplete`, { force: true });
      throw new InputError(`what was downloaded as ${repository}/${FILE} has SHA-256 ${got}, the hub states ${sha256}; it was removed, try again`);
    }
    await rename(`${blob}.incomplete`, blob);
  }
  onProgress(size, size);
  await rm(snapshot, { force: true });
  await symlink(relative(dirname(snapshot), blob), snapshot);
  await mkdir(join(folder, "refs"), { recursive: true });
  await writeFileAtomic(join(folder, "refs", REVISION), info.lastCommit.id);
  return snapshot;
}

const folderOf = (name: PretrainedName, cache: string): string => join(cache, getRepoFolderName({ type: "model", name: repositoryOf(name) }));

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;
const hasSize = async (path: string, size: number): Promise<boolean> => (await sizeOf(path)) === size && size > 0;

async function ensureFolders(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
      throw new InputError(`cannot write to the cache ${dirname(path)}: ${reasonOf(error)}; HF_HOME names another place`, { cause: error });
    });
  }
}

/** Fills `path` up to `size` bytes from `address`, going on behind what is there. */
async function fetchResumed(address: string, path: string, size: number, onProgress: (done: number, total: number) => void): Promise<void> {
  if ((await sizeOf(path)) > size) await rm(path);
  let problem: unknown = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const done = await sizeOf(path);
    if (done === size) return;
    try {
      const response = await fetch(address, { headers: done > 0 ? { Range: `bytes=${done}-` } : {} });
      if (!response.ok || !response.body) throw new InputError(`the hub answered ${response.status} ${response.statusText} for ${address}`);
      const resumes = response.status === 206; // a server that knows no ranges sends all of it again
      let count = resumes ? done : 0;
      const counted = async function* (source: AsyncIterable<Uint8Array>) {
        for await (const chunk of source) {
          count += chunk.length;
          onProgress(count, size);
          yield chunk;
        }
      };
      await pipeline(Readable.fromWeb(response.body as ReadableStream), counted, createWriteStream(path, { flags: resumes ? "a" : "w" }));
    } catch (error) {
      if (error instanceof InputError) throw error;
      problem = error;
    }
  }
  const done = await sizeOf(path);
  if (done === size) return;
  throw new InputError(`the download of ${address} ended at ${done} of ${size} bytes (${causeOf(problem)}); run it again to go on`, { cause: problem });
}

/** What fetch hides behind "fetch failed". */
function causeOf(error: unknown): string {
  const { message, cause } = (error ?? {}) as { message?: string; cause?: { message?: string; code?: string } };
  return cause?.message || cause?.code || message || "the connection was cut";
}
