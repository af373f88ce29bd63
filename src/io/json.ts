import { InputError } from "../runtime/errors.ts";

/** How much a JSON text from elsewhere may hold. Parsing takes time and memory in proportion to it. */
export interface JsonLimits {
  /** Length of the text. */
  readonly characters: number;
  /** Lists and objects within each other. */
  readonly depth: number;
  /** Lists and objects in all. Default 2^20: each takes some hundred bytes of memory, whatever its text takes. */
  readonly containers?: number;
}

/**
 * Limits for a record, such as a line of a journal: the outlines of all defects in an image of 268 million pixels are
 * within them.
 */
export const RECORD: JsonLimits = { characters: 1 << 26, depth: 8 };

/**
 * The value of a JSON text that somebody else wrote. What exceeds the limits is refused before any value is made.
 * @throws InputError for a text beyond the limits; SyntaxError for one that is no JSON
 */
export function parseJson(text: string, { characters, depth, containers = 1 << 20 }: JsonLimits): unknown {
  if (text.length > characters)
    throw new InputError(`it has ${text.length} characters of JSON, allowed are ${characters}`);
  let [open, count] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i++;
        break;
      case LIST:
      case OBJECT:
        if (++open > depth) throw new InputError(`its JSON nests lists and objects more than ${depth} deep`);
        if (++count > containers) throw new InputError(`its JSON has more than ${containers} lists and objects`);
        break;
      case LIST_END:
      case OBJECT_END:
        open--;
    }
  }
  return JSON.parse(text);
}

const [QUOTE, BACKSLASH, LIST, LIST_END, OBJECT, OBJECT_END] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
