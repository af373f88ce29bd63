import { createReadStream } from "node:fs";
import { parse, resolve } from "node:path";
import type { Readable } from "node:stream";
import { isPicture } from "../../io/picture_header.ts";
import { reasonOf } from "../../node/files/reasons.ts";
import { InputError } from "../../runtime/errors.ts";

const STANDARD_INPUT = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
const OF_A_SHELL = /^\/dev\/stdin$|^\/(?:dev|proc\/self)\/fd\/\d+$/;
const MOST_LIST_BYTES = 1 << 28;

/**
 * True if a word stands for a list of images, or for frames: `-`, or a stream that a shell opened, as `/dev/stdin` or
 * by process substitution.
 */
export const isList = (word: string): boolean => word === "-" || OF_A_SHELL.test(word);

/** A stream that such a word stands for, and its name in messages. */
export function openStream(word: string): { readonly stream: Readable; readonly name: string } {
  const isStandard = STANDARD_INPUT.includes(word);
  return isStandard
    ? { stream: process.stdin, name: "standard input" }
    : { stream: createReadStream(word), name: word };
}

/**
 * The names in such a list.
 * @throws InputError if it cannot be read, is empty, is an image itself, or has no end in 256 MiB
 */
export async function readList(word: string): Promise<string[]> {
  const { stream, name } = openStream(word);
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes > MOST_LIST_BYTES)
        throw new InputError(`it has more than ${MOST_LIST_BYTES} bytes, which no list of images has`);
      if (isPicture(parts[0]!))
        throw new InputError(
          "it is an image, where a list of their names is needed; name the image's file instead, or read a stream of JPEGs with --frames mjpeg",
        );
    }
  } catch (error) {
    throw new InputError(`cannot read the list on ${name}: ${reasonOf(error)}`, { cause: error });
  }
  const names = namesInList(Buffer.concat(parts));
  if (names.length === 0) throw new InputError(`the list on ${name} is empty`);
  return names;
}

/**
 * The names in a list that was read: UTF-8, or UTF-16 with its byte-order mark; a name a line, or each up to the next
 * NUL.
 * @throws InputError if it is something else, or names the root of the file system
 */
export function namesInList(list: Uint8Array): string[] {
  const names = namesIn(decoded(list));
  for (const name of names) {
    const whole = resolve(name);
    if (whole === parse(whole).root)
      throw new InputError(
        `the list names the root of the file system, ${JSON.stringify(name)}: it is to have a file or a folder a line`,
      );
  }
  return names;
}

const NOT_A_LIST = "the list is neither UTF-8 nor UTF-16 with a byte-order mark: save it as UTF-8";

function decoded(list: Uint8Array): string {
  const [first, second] = list;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  const text = new TextDecoder(encoding).decode(list);
  // In UTF-16 without its mark every other byte is NUL, and a line's end has one beside it.
  const isUtf16 = encoding === "utf-8" && (text.split("\0").length - 1 > list.length / 4 || /\n\0|\0\r?\n/.test(text));
  if (isUtf16 || (encoding !== "utf-8" && text.includes("\0"))) throw new InputError(NOT_A_LIST);
  return text;
}

/**
 * The names in a text, a line each; or, if there is a NUL in it, each up to the next NUL, so that names may hold line
 * ends.
 */
export function namesIn(list: string): string[] {
  const names = list.includes("\0") ? list.split("\0") : list.split("\n").map((line) => line.replace(/\r$/, ""));
  return names.filter((name) => name.trim() !== "");
}
