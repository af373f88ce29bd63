import { constants } from "node:fs";
import { lstat, mkdir, open, realpath, rename, rm, stat, symlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import {
  bodyOf,
  excerptOf,
  fetchDescription,
  isCommit,
  Patience,
  requireFile,
  statedWeights,
  WEIGHTS_FILE,
  type StatedFile,
} from "../io/hub.ts";
import { isSha256 } from "../io/json.ts";
import { repositoryOf, type PretrainedName } from "../backbones/registry.ts";
import type { PretrainedWeights } from "../backbones/weights.ts";
import { InputError } from "../runtime/errors.ts";
import { hashFile, type ReadOptions } from "./files/hash.ts";
import { openHashed } from "./weights.ts";
import { writeFileAtomic } from "./files/files.ts";
import { readText } from "./files/read.ts";
import { reasonOf, writeReasonOf } from "./files/reasons.ts";
import { followed } from "./hub_redirects.ts";
import { lockFile } from "./files/lock.ts";

// loaded when it is needed, as few models need it
const loadHub = () => import("@huggingface/hub");

const REVISION = "main";
const ATTEMPTS = 5; // after cut connections, each going on where the last one ended

/** Options of finding or downloading weights: `onProgress` is told of the bytes hashed, or downloaded. */
export interface HubOptions extends ReadOptions {
  /** Root of the hub. Default: HF_ENDPOINT, else the public hub. */
  readonly url?: string;
  /** Root of the cache. Default: where that ecosystem keeps it (HF_HUB_CACHE, HF_HOME). */
  readonly cache?: string;
  /** Milliseconds without progress after which the download fails. */
  readonly patience?: number;
}

/**
 * Opens a network's public weights in the hub's cache; null if they are not there.
 * @throws InputError if what lies there leads out of the cache, or is not what its name says; the signal's reason
 */
export async function cachedWeights(
  name: PretrainedName,
  { cache, ...reading }: HubOptions = {},
): Promise<PretrainedWeights | null> {
  const folder = await folderOf(name, cache);
  const commit = (await readText(join(folder, "refs", REVISION)).catch(() => "")).trim();
  if (!isCommit(commit)) return null;
  const path = join(folder, "snapshots", commit, WEIGHTS_FILE);
  const [file, root] = await Promise.all([realpath(path), realpath(folder)]).catch(() => [null, ""] as const);
  if (file === null || !(await stat(file)).isFile()) return null;
  const remedy = `remove it, and run "bigrid weights ${name}"`;
  if (!file.startsWith(root + sep)) throw new InputError(`${path} leads out of the hub's cache, to ${file}: ${remedy}`);
  // a blob's name is its hash; a copy in a snapshot, as on Windows, has none to be held against
  const stated = basename(file);
  const sha256 = await hashFile(file, reading);
  if (isSha256(stated) && sha256 !== stated)
    throw new InputError(`${path} is damaged, its SHA-256 is not the one of its name: ${remedy}`);
  return openHashed(path, sha256, reading);
}

/**
 * Downloads a network's public weights into the hub's cache, in its layout. An interrupted download is continued;
 * size and SHA-256 are checked against what the hub states. Nothing is written outside the network's folder in the
 * cache, and no more than the stated size.
 *
 * @returns the file's path, for `openWeights`
 * @throws InputError if the hub cannot be reached (with what to fetch and where to put it), does not answer, or sends
 * other data than it announced; if the cache cannot be written, or another process downloads the same file; the
 * signal's reason
 */
export async function downloadWeights(name: PretrainedName, options: HubOptions = {}): Promise<string> {
  const { url = process.env["HF_ENDPOINT"], cache, signal, onProgress } = options;
  signal?.throwIfAborted();
  const hub = hubOf(url || (await loadHub()).HUB_URL);
  const repository = repositoryOf(name);
  const stated = await statedBy(hub, repository, options);
  const folder = await folderOf(name, cache);
  const blob = join(folder, "blobs", stated.sha256);
  const snapshot = join(folder, "snapshots", stated.commit, WEIGHTS_FILE);
  const reference = join(folder, "refs", REVISION);
  await ensureFolders(folder, [dirname(blob), dirname(reference), dirname(dirname(snapshot)), dirname(snapshot)]);
  const lock = await lockFile(blob);
  try {
    if (!(await isWhole(blob, stated))) {
      const address = `${hub}/${repository}/resolve/${stated.commit}/${WEIGHTS_FILE}`;
      await fetchResumed(address, `${blob}.incomplete`, stated.size, options);
      const got = await hashFile(`${blob}.incomplete`, { signal });
      if (got !== stated.sha256) {
        await rm(`${blob}.incomplete`, { force: true });
        throw new InputError(
          `what was downloaded as ${repository}/${WEIGHTS_FILE} has SHA-256 ${got}, the hub states ${stated.sha256}; it was removed, try again`,
        );
      }
      await rename(`${blob}.incomplete`, blob);
    }
    onProgress?.({ done: stated.size, total: stated.size });
    await rm(snapshot, { force: true });
    await symlink(relative(dirname(snapshot), blob), snapshot);
    await writeFileAtomic(reference, stated.commit);
    return snapshot;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot write to the cache ${folder}: ${writeReasonOf(error)}; HF_HOME names another place`, {
      cause: error,
    });
  } finally {
    await lock.release();
  }
}

async function folderOf(name: PretrainedName, cache: string | undefined): Promise<string> {
  const { getHFHubCachePath, getRepoFolderName } = await loadHub();
  return join(cache ?? getHFHubCachePath(), getRepoFolderName({ type: "model", name: repositoryOf(name) }));
}

/**
 * The hub's address, without a slash at its end.
 * @throws InputError if it is none
 */
function hubOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new InputError(`HF_ENDPOINT is ${excerptOf(url)}, expected an address such as https://huggingface.co`);
  if (parsed.username || parsed.password)
    throw new InputError("HF_ENDPOINT has a user's name or password in it: leave them out, public weights need none");
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
}

/** Asks the hub about the weights of a repository. */
async function statedBy(hub: string, repository: string, { patience, signal }: HubOptions): Promise<StatedFile> {
  const fetch = fetchDescription(
    new Patience(patience, signal),
    followed((from, to) => from.origin === to.origin),
  );
  const { pathsInfo } = await loadHub();
  const infos = await pathsInfo({
    repo: repository,
    paths: [WEIGHTS_FILE],
    expand: true,
    revision: REVISION,
    hubUrl: hub,
    fetch,
  }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new InputError(
      `cannot reach the hub for ${repository} (${causeOf(error)}); fetch its ${WEIGHTS_FILE} where there is a network and give it as the option weights`,
      { cause: error },
    );
  });
  return statedWeights(repository, infos);
}

/**
 * Makes a repository's folders, one inside the other or beside it.
 * @throws InputError if that is not possible, or one of them is a link: what is written there would land elsewhere
 */
async function ensureFolders(folder: string, inside: readonly string[]): Promise<void> {
  for (const path of [folder, ...inside]) {
    const found = await lstat(path).catch(() => null);
    if (found?.isSymbolicLink())
      throw new InputError(
        `${path} is a link, and would lead out of the hub's cache: remove it, or name another cache with HF_HOME`,
      );
    await mkdir(path, { recursive: path === folder }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST" && found?.isDirectory()) return;
      throw new InputError(`cannot write to the cache ${path}: ${reasonOf(error)}; HF_HOME names another place`, {
        cause: error,
      });
    });
  }
}

/** Size of a file of our own; what else lies there, such as a link, or a file that has a second name, is removed. */
async function ownSize(path: string): Promise<number> {
  const found = await lstat(path).catch(() => null);
  if (!found) return 0;
  if (found.isFile() && found.nlink === 1) return found.size;
  await rm(path);
  return 0;
}

/** True if a blob is there, with the stated size and hash. */
const isWhole = async (path: string, { size, sha256 }: StatedFile): Promise<boolean> =>
  (await ownSize(path)) === size && (await hashFile(path)) === sha256;

const FILE_CALLS = ["open", "write", "close"]; // whose failures another attempt does not mend
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** Fills `path` up to `size` bytes from `address`, going on behind what is there. */
async function fetchResumed(
  address: string,
  path: string,
  size: number,
  { patience, signal, onProgress }: HubOptions,
): Promise<void> {
  if ((await ownSize(path)) > size) await rm(path);
  const fetchFile = followed(isFileHost);
  let problem: unknown = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const done = await ownSize(path);
    if (done === size) return;
    const waiting = new Patience(patience, signal);
    try {
      const headers = { "Accept-Encoding": "identity", ...(done > 0 && { Range: `bytes=${done}-` }) };
      const response = await waiting.for(fetchFile(address, { headers, signal: waiting.signal }));
      requireFile(response, address);
      const first = firstByteOf(response, done, size, address);
      // O_NOFOLLOW is undefined where a system has no such thing.
      const file = await open(path, O_WRONLY | O_CREAT | (O_NOFOLLOW ?? 0) | (first > 0 ? O_APPEND : O_TRUNC));
      await appendBody(file, bodyOf(response, size - first, waiting), (count) =>
        onProgress?.({ done: first + count, total: size }),
      ).finally(() => file.close());
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof InputError || FILE_CALLS.includes((error as NodeJS.ErrnoException).syscall ?? ""))
        throw error;
      problem = error;
    }
  }
  const done = await ownSize(path);
  if (done === size) return;
  throw new InputError(
    `the download of ${address} ended at ${done} of ${size} bytes (${causeOf(problem)}); run it again to go on`,
    { cause: problem },
  );
}

async function appendBody(
  file: FileHandle,
  parts: AsyncIterable<Uint8Array>,
  onProgress: (count: number) => void,
): Promise<void> {
  let count = 0;
  for await (const part of parts) {
    await file.writeFile(part);
    onProgress((count += part.length));
  }
}

/**
 * The offset at which an answer begins: the one asked for, or 0 where a server knows no ranges and sends all of
 * it again.
 * @throws InputError if what the answer says of itself is not what was asked for
 */
function firstByteOf({ status, headers }: Response, done: number, size: number, address: string): number {
  const refuse = (what: string): never => {
    throw new InputError(
      `the hub answered with ${what} for ${address}, which has ${size} bytes; try again later, or another HF_ENDPOINT`,
    );
  };
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") return refuse(`contents encoded as ${excerptOf(encoding)}`);
  const range = headers.get("content-range");
  if (status === 206 && range !== null && range !== `bytes ${done}-${size - 1}/${size}`)
    return refuse(`the range ${excerptOf(range)}, not bytes ${done}-${size - 1}/${size}`);
  const first = status === 206 ? done : 0;
  const length = headers.get("content-length");
  if (length !== null && Number(length) !== size - first)
    return refuse(`${excerptOf(length)} bytes, not ${size - first}`);
  return first;
}

/**
 * Hosts to which a hub may send those who want a file: itself, and by https others that have a public name. Its hash is
 * checked in any case.
 */
const isFileHost = (from: URL, to: URL): boolean =>
  to.origin === from.origin ||
  (to.protocol === "https:" &&
    to.port === "" &&
    /^[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]+$/.test(to.hostname) &&
    !/\.(local|localhost|internal)$/.test(to.hostname));

/** The cause that fetch hides behind "fetch failed". */
function causeOf(error: unknown): string {
  const { message, cause } = (error ?? {}) as { message?: string; cause?: { message?: string; code?: string } };
  return excerptOf(cause?.message || cause?.code || message || "the connection was cut");
}
