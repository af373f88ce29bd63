import type { IncomingHttpHeaders } from "node:http";
import Busboy, { type BusboyFileStream } from "@fastify/busboy";
import { printable } from "../../io/printable.ts";
import { HttpError } from "./http_error.ts";

/** An image as a client sent it. */
export interface SentImage {
  /** For results and errors; no path. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Makes images of a body's chunks. */
export interface BodyReader {
  /** Resolves when the next chunk may come. */
  write(chunk: Buffer): Promise<void>;
  /** The images, once the body has ended. */
  end(): Promise<readonly SentImage[]>;
  /** Drops what was read. */
  destroy(): void;
}

const PART_HEADER = { headerPairs: 16, headerSize: 8192 };
const MOST_NAME = 200; // characters

/**
 * A reader of multipart/form-data: every part that is a file or an image.
 * @param most images of a request
 * @throws HttpError for a content type without a boundary; its methods, for a malformed body, for form fields, for no
 * image and for too many
 */
export function multipartReader(headers: IncomingHttpHeaders, most: number): BodyReader {
  const images: SentImage[] = [];
  const parser = parserOf(headers, most);
  const finished = new Promise<void>((resolve, reject) => {
    const fail = (status: number, message: string): void => reject(new HttpError(status, message));
    parser.on("file", (field, stream, name) => {
      const number = images.length;
      images.push({ name: nameOf(name || field, number), bytes: Buffer.alloc(0) });
      collect(stream, (bytes) => (images[number] = { ...images[number]!, bytes }));
    });
    parser.on("field", (field) =>
      fail(400, `the form field ${printable(field).slice(0, MOST_NAME)} is not read: give options in the query`),
    );
    parser.on("filesLimit", () => fail(413, `the body has more than ${most} images, which is the limit`));
    parser.on("error", (error) => fail(400, `malformed multipart/form-data: ${(error as Error).message}`));
    parser.on("finish", resolve);
  });
  finished.catch(() => undefined); // thrown where it is waited for
  const written = (chunk: Buffer): Promise<void> => new Promise((resolve) => void parser.write(chunk, () => resolve()));
  return {
    write: (chunk) => Promise.race([written(chunk), finished]),
    end: async () => {
      parser.end();
      await finished;
      if (images.length === 0) throw new HttpError(400, "the multipart/form-data has no file");
      return images;
    },
    destroy: () => void parser.destroy(),
  };
}

function parserOf(headers: IncomingHttpHeaders, files: number): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { ...headers, "content-type": headers["content-type"]! },
      limits: { ...PART_HEADER, files, fieldSize: MOST_NAME },
      isPartAFile: (_field, type = "", file) => file !== undefined || /^(image\/|application\/octet-stream)/.test(type),
    });
  } catch (error) {
    throw new HttpError(400, `malformed multipart/form-data: ${(error as Error).message}`);
  }
}

function collect(stream: BusboyFileStream, onEnd: (bytes: Uint8Array) => void): void {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
  stream.on("end", () => onEnd(Buffer.concat(chunks)));
  stream.on("error", () => undefined); // the parser says the same
}

const nameOf = (name: string | undefined, number: number): string =>
  name ? [...name].slice(0, MOST_NAME).join("") : `image-${number + 1}`;
