import type { IncomingMessage } from "node:http";
import type { ByteBudget } from "../../node/files/byte_budget.ts";
import { clientLeft, HttpError } from "./http_error.ts";
import type { ServeLimits } from "./limits.ts";
import { multipartReader, type BodyReader, type SentImage } from "./multipart.ts";

const RAW_NAME = "image"; // a body of image bytes has no name

/** Images of a request's body. */
export interface SentImages {
  readonly images: readonly SentImage[];
  /** Gives back the memory that was reserved for the body. */
  readonly release: () => void;
}

/**
 * Reads the images of a request's body, once there is room for it. No more is held than what was reserved.
 * @param room bytes of all bodies that are held at a time
 * @param onRead called when the body is about to be read: a client that asks before it sends is told to go on
 * @throws HttpError for a body that is too large, too slow, of another type, or malformed; for a client that left; for
 * room that was not there in time
 */
export async function readImages(
  request: IncomingMessage,
  limits: ServeLimits,
  room: ByteBudget,
  onRead: () => void,
): Promise<SentImages> {
  const { headers } = request;
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw new HttpError(415, `the content encoding ${encoding} is not read: send images plain`);
  const length = Number(headers["content-length"] ?? NaN);
  if (length > limits.body) throw tooLarge(limits);
  const reader = readerOf(request, limits);
  const release = await takeRoom(request, room, Number.isNaN(length) ? limits.body : length, limits.wait);
  try {
    onRead();
    await receive(request, reader, limits);
    return { images: await reader.end(), release };
  } catch (error) {
    release();
    throw error;
  }
}

const tooLarge = ({ body }: ServeLimits): HttpError =>
  new HttpError(413, `the body has more than ${body} bytes, which is the limit`);

function readerOf(request: IncomingMessage, limits: ServeLimits): BodyReader {
  const type = (request.headers["content-type"] ?? "").toLowerCase();
  if (type.startsWith("multipart/form-data")) return multipartReader(request.headers, limits.queue);
  if (type.startsWith("image/") || type.startsWith("application/octet-stream")) return rawReader();
  throw new HttpError(
    415,
    `the content type ${type || "(none)"} is not read: send an image with its own, such as image/png, or multipart/form-data`,
  );
}

function rawReader(): BodyReader {
  const chunks: Buffer[] = [];
  return {
    write: async (chunk) => void chunks.push(chunk),
    end: async () => [{ name: RAW_NAME, bytes: Buffer.concat(chunks) }],
    destroy: () => undefined,
  };
}

/** Waits for room; what is granted after the wait is given back. */
async function takeRoom(request: IncomingMessage, room: ByteBudget, bytes: number, wait: number): Promise<() => void> {
  const taken = room.take(bytes);
  return new Promise((resolve, reject) => {
    const giveUp = (error: HttpError): void => {
      stop();
      void taken.then((release) => release());
      reject(error);
    };
    const onClose = (): void => giveUp(clientLeft());
    const timer = setTimeout(() => giveUp(busy(wait)), wait);
    const stop = (): void => {
      clearTimeout(timer);
      request.off("close", onClose);
    };
    request.once("close", onClose);
    if (request.destroyed) return onClose();
    void taken.then((release) => {
      stop();
      resolve(release);
    });
  });
}

/** The error of a request that waited in vain. */
export const busy = (wait: number): HttpError =>
  new HttpError(503, `no answer within ${wait / 1000} s: the service is busy, try again later`, { "retry-after": "1" });

/** Passes a body on, each chunk when the one before it was taken, until its end, its limit or its time. */
function receive(request: IncomingMessage, reader: BodyReader, limits: ServeLimits): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const stop = (error?: Error): void => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      request.pause();
      if (!error) return resolve();
      reader.destroy();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > limits.body) return stop(tooLarge(limits));
      request.pause();
      reader.write(chunk).then(() => request.resume(), stop);
    };
    const onEnd = (): void => stop();
    const onClose = (): void => stop(clientLeft());
    const timer = setTimeout(
      () => stop(new HttpError(408, `the body did not arrive within ${limits.send / 1000} s`)),
      limits.send,
    );
    request.on("data", onData).once("end", onEnd).once("close", onClose);
    if (request.destroyed) onClose();
  });
}
