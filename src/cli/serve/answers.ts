import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { errorBody, type HttpError } from "./http_error.ts";

const LINGER = 1000; // milliseconds for which the rest of a refused body is read and dropped

const FIXED: OutgoingHttpHeaders = {
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
};

/** An answer of a route. */
export interface Answer {
  readonly status?: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** A JSON answer. */
export const json = (value: unknown): Answer => ({ type: "application/json", body: `${JSON.stringify(value)}\n` });

/**
 * Sends an answer. If the request's body was not read to its end, the connection is closed after it: the client gets
 * the answer first, and what it still sends is dropped for a moment, since a connection that is closed with unread bytes
 * takes the answer with it.
 */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, type, body, headers = {} }: Answer,
): Promise<void> {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(body);
  const isRead = request.complete || !hasBody(request);
  response.writeHead(status, {
    ...FIXED,
    "content-type": type,
    "content-length": bytes.length,
    ...headers,
    ...(!isRead && { connection: "close" }),
  });
  if (isRead || request.destroyed) {
    response.end(bytes);
    return;
  }
  response.write(bytes);
  const left = new AbortController();
  const isOver = (): void => left.abort();
  request.once("end", isOver).once("close", isOver).resume();
  await pause(LINGER, undefined, { signal: left.signal }).catch(() => undefined);
  response.end();
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Sends an error. */
export const refuse = (request: IncomingMessage, response: ServerResponse, error: HttpError): Promise<void> =>
  send(request, response, {
    status: error.status,
    type: "application/json",
    body: errorBody(error.message),
    headers: error.headers,
  });
