import { InputError } from "../runtime/errors.ts";
import { isSha256 } from "./json.ts";

// Nothing from the hub is trusted: answers are checked before use, and limited in size and time.

/** Name of the weights file in a repository. */
export const WEIGHTS_FILE = "model.safetensors";

/** A file as described by the hub, checked. */
export interface StatedFile {
  /** The revision that contains it: 40 hexadecimal digits. */
  readonly commit: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

const COMMIT = /^[0-9a-f]{40}$/;
const MOST_BYTES = 2 ** 30; // of a file: the largest EfficientNet's weights are a quarter of it

/** True if a text is a commit hash, and therefore safe as a folder name. */
export const isCommit = (text: unknown): text is string => typeof text === "string" && COMMIT.test(text);

/**
 * Finds the weights file in the hub's answer about a repository.
 * @param infos the answer, expected to be a list of files
 * @throws InputError if the file is missing, or if its commit, hash or size is invalid
 */
export function statedWeights(repository: string, infos: unknown): StatedFile {
  const remedy = "name a file of the weights instead";
  const files: readonly unknown[] = Array.isArray(infos) ? infos : [];
  const info = files.find((file) => (file as { path?: unknown } | null)?.path === WEIGHTS_FILE) as
    | {
        readonly lfs?: { readonly oid?: unknown; readonly size?: unknown } | null;
        readonly lastCommit?: { readonly id?: unknown } | null;
      }
    | undefined;
  if (!info?.lfs) throw new InputError(`${repository} has no ${WEIGHTS_FILE} with a SHA-256 on the hub; ${remedy}`);
  const { oid: sha256, size } = info.lfs;
  const commit = info.lastCommit?.id;
  const refuse = (what: string, value: unknown, expected: string): never => {
    throw new InputError(
      `the hub states ${what} of ${repository}/${WEIGHTS_FILE} as ${excerptOf(value)}, expected ${expected}; ${remedy}`,
    );
  };
  if (!isCommit(commit)) return refuse("the commit", commit, "40 hexadecimal digits");
  if (!isSha256(sha256)) return refuse("the SHA-256", sha256, "64 hexadecimal digits");
  if (!Number.isSafeInteger(size) || (size as number) < 1 || (size as number) > MOST_BYTES)
    return refuse("the size", size, `1 to ${MOST_BYTES} bytes`);
  return { commit, sha256, size: size as number };
}

const EXCERPT = 200; // characters of a wrong value in an error

/** The beginning of an untrusted value, for an error message. */
export function excerptOf(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text;
}

/** Time limit for an answer to begin, and for each further part of its body to arrive, in milliseconds. */
export const PATIENCE = 30_000;
const PART = 1 << 16; // bytes

/** Waits for a server only while it makes progress: gives up on a silent one and on one that sends a byte at a time. */
export class Patience {
  readonly #milliseconds: number;
  readonly #stop = new AbortController();
  /** Aborted once patience has ended, or whoever asked wants no more. */
  readonly signal: AbortSignal;
  #waited = 0;
  #arrived = 0;

  constructor(milliseconds = PATIENCE, signal: AbortSignal | null = null) {
    this.#milliseconds = milliseconds;
    this.signal = AbortSignal.any([this.#stop.signal, ...(signal ? [signal] : [])]);
  }

  /** @throws InputError if the time limit since the last `PART` of a body is exceeded; the signal's reason */
  async for<T>(work: Promise<T>): Promise<T> {
    const began = performance.now();
    const seconds = this.#milliseconds / 1000;
    const timer = setTimeout(
      () =>
        this.#stop.abort(new InputError(`the hub sent less than ${PART >> 10} KiB in ${seconds} s; try again later`)),
      Math.max(0, this.#milliseconds - this.#waited),
    );
    try {
      return await work;
    } catch (error) {
      throw this.signal.aborted ? this.signal.reason : error;
    } finally {
      clearTimeout(timer);
      this.#waited += performance.now() - began;
    }
  }

  /** Notes bytes of a body. */
  arrived(bytes: number): void {
    this.#arrived += bytes;
    if (this.#arrived < PART) return;
    [this.#waited, this.#arrived] = [0, 0];
  }
}

/**
 * A body, in parts as they arrive.
 * @param most largest number of bytes
 * @throws InputError if the body has more, or its server stops sending
 */
export async function* bodyOf({ body }: Response, most: number, patience: Patience): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  try {
    for (let count = 0; ;) {
      const { done, value } = await patience.for(reader.read());
      if (done) return;
      count += value.length;
      if (count > most)
        throw new InputError(
          `the hub sent more than the ${most} bytes that were expected; try again later, or another HF_ENDPOINT`,
        );
      patience.arrived(value.length);
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => undefined); // the connection is no longer usable
  }
}

const MOST_ANSWER = 2 ** 20; // limit of an answer that describes files, in bytes
const NO_BODY = [204, 205, 304]; // statuses without a body

/**
 * Makes a `fetch` that reads answers completely and limits their size to that of a file description.
 * @param fetchAnswer performs the request
 */
export const fetchDescription =
  (patience: Patience, fetchAnswer: typeof fetch): typeof fetch =>
  async (address, init) => {
    const response = await patience.for(fetchAnswer(address, { ...init, signal: patience.signal }));
    const { status, headers } = response;
    const parts: BlobPart[] = [];
    for await (const part of bodyOf(response, MOST_ANSWER, patience)) parts.push(part as Uint8Array<ArrayBuffer>);
    return new Response(NO_BODY.includes(status) ? null : new Blob(parts), { status, headers });
  };

/** @throws InputError if an answer does not contain the file, such as a sign-in page */
export function requireFile({ ok, status, statusText, headers, body }: Response, address: string): void {
  if (!ok || !body)
    throw new InputError(
      `the hub answered ${status} ${excerptOf(statusText)} for ${address}; try again later, or fetch it by other means`,
    );
  const type = headers.get("content-type") ?? "";
  if (/^\s*(text\/|application\/(json|xhtml))/i.test(type)) {
    throw new InputError(
      `the hub answered with ${excerptOf(type)} instead of the file ${address}: ` +
        `is there a proxy or a sign-in page in between?`,
    );
  }
}
