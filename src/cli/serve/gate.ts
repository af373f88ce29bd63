import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIPv4 } from "node:net";
import { nameShown } from "../../io/printable.ts";
import { readText } from "../../node/files/read.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { HttpError } from "./http_error.ts";

const LEAST_TOKEN = 16; // characters
const MOST_TOKEN_BYTES = 4096; // of its file
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/; // what an Authorization header can carry

/** True for an address that only this machine reaches. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));

/**
 * Reads the token that clients must send.
 * @returns null if no file is named
 * @throws OptionError if other machines could reach the service and no file is named; InputError for a file that cannot
 * be read, or holds no token
 */
export async function readToken(host: string, file: string | undefined): Promise<string | null> {
  if (file === undefined) {
    if (isLoopback(host)) return null;
    throw new OptionError(
      `--host ${host} lets other machines in: name a file with a secret token by --token-file, or leave --host out`,
    );
  }
  const token = (await readText(file, { limit: MOST_TOKEN_BYTES })).trim();
  if (token.length >= LEAST_TOKEN && TOKEN.test(token)) return token;
  throw new InputError(
    `${file} holds no token: one line of at least ${LEAST_TOKEN} letters, digits and -._~+/ is needed, such as "openssl rand -hex 32" prints`,
  );
}

/** Decides which requests are let in. */
export class Gate {
  readonly #hosts: ReadonlySet<string> | null;
  readonly #token: Buffer | null;

  /**
   * @param host the address that is listened at
   * @param token that clients must send; null: none
   */
  constructor(host: string, token: string | null) {
    const names = ["localhost", "127.0.0.1", "[::1]", host.includes(":") ? `[${host}]` : host];
    this.#hosts = isLoopback(host) ? new Set(names) : null;
    this.#token = token === null ? null : digestOf(token);
  }

  /**
   * Lets a request in.
   * @param isOpen true for a route that needs no token
   * @throws HttpError for another machine's name as the host, which a page of another site can make its own name mean
   * here; for a page of another origin; for a missing or wrong token
   */
  admit({ headers: { host = "", origin, authorization = "" } }: IncomingMessage, isOpen: boolean): void {
    if (this.#hosts && !this.#hosts.has(host.replace(/:\d+$/, "").toLowerCase())) {
      const known = [...this.#hosts].join(", ");
      throw new HttpError(403, `the host ${nameShown(host) || "(none)"} is not served here, only ${known}`);
    }
    if (origin !== undefined && hostOf(origin) !== host.toLowerCase())
      throw new HttpError(403, `pages of ${nameShown(origin)} may not use this service`);
    if (isOpen || this.#token === null) return;
    const [, given] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (given !== undefined && timingSafeEqual(digestOf(given), this.#token)) return;
    const problem = given === undefined ? "a token is needed" : "the token is wrong";
    throw new HttpError(401, `${problem}: send the header "Authorization: Bearer TOKEN"`, {
      "www-authenticate": "Bearer",
    });
  }
}

/** Digests have one length, whatever is compared. */
const digestOf = (token: string): Buffer => createHash("sha256").update(token).digest();

/** The host and port of an origin; null for one that is none, such as "null". */
function hostOf(origin: string): string | null {
  const [, host] = /^https?:\/\/([^/]+)$/i.exec(origin) ?? [];
  return host?.toLowerCase() ?? null;
}
