import { STATUS_CODES, type OutgoingHttpHeaders } from "node:http";

/** An error that a client is told, with the status that it gets. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** The status in logs and metrics of a request whose client left before its answer; nobody is sent it. */
export const CLIENT_LEFT = 499;

/** The error of a request whose client has left. */
export const clientLeft = (): HttpError => new HttpError(CLIENT_LEFT, "the client closed the connection");

/** An error's body: `{"error":"one line"}`. */
export const errorBody = (message: string): string => `${JSON.stringify({ error: message })}\n`;

/** A whole answer as bytes of HTTP, for a connection on which no request could be read. */
export function rawAnswer(status: number, message: string): string {
  const body = errorBody(message);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}
