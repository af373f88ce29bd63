import { InputError } from "../runtime/errors.ts";

/** Limits on an untrusted JSON text. Parsing takes time and memory in proportion to them. */
export interface JsonLimits {
  /** Length of the text. */
  readonly characters: number;
  /** Nesting depth of arrays and objects. */
  readonly depth: number;
  /**
   * Total number of arrays and objects. Default 2^20: each takes some hundred bytes of memory, however short its text.
   */
  readonly containers?: number;
}

/**
 * Limits for a record, such as a line of a journal: enough for the outlines of all defects in an image of 268 million
 * pixels.
 */
export const RECORD: JsonLimits = { characters: 1 << 26, depth: 8 };

/** True for a JSON object. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** True for a whole number of 0 or more. */
export const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const SHA256 = /^[0-9a-f]{64}$/;

/** True for a SHA-256 in hexadecimal digits, which is safe as a file name. */
export const isSha256 = (value: unknown): value is string => typeof value === "string" && SHA256.test(value);

/**
 * Parses an untrusted JSON text, as `parseJson`.
 * @param what holds the text, for errors
 * @throws InputError for a text beyond the limits, an object with the same key twice, or invalid JSON
 */
export function requireJson(text: string, limits: JsonLimits, what: string): unknown {
  try {
    return parseJson(text, limits);
  } catch (cause) {
    const problem = cause instanceof InputError ? "is refused" : "is no JSON";
    throw new InputError(`${what} ${problem}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Parses an untrusted JSON text. A text beyond the limits is rejected before any value is created.
 * @throws InputError for a text beyond the limits, or an object with the same key twice; SyntaxError for invalid JSON
 */
export function parseJson(text: string, { characters, depth, containers = 1 << 20 }: JsonLimits): unknown {
  if (text.length > characters)
    throw new InputError(`it has ${text.length} characters of JSON; at most ${characters} are allowed`);
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
  const value: unknown = JSON.parse(text);
  const key = repeatedKey(text);
  if (key === null) return value;
  const shown = key.length > SHOWN ? `${key.slice(0, SHOWN)}...` : key;
  throw new InputError(`its JSON has the key ${JSON.stringify(shown)} twice in one object`);
}

const SHOWN = 40; // characters of a key in an error

/** The first duplicate key of an object in a valid JSON text: readers disagree on which of the two counts. */
function repeatedKey(text: string): string | null {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{") open.push(new Set());
    else if (c === "}") open.pop();
    else if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
      let next = i + 1;
      while (text[next] === " " || text[next] === "\n" || text[next] === "\r" || text[next] === "\t") next++;
      if (text[next] !== ":") continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string; // escapes spell one key in many ways
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

const [QUOTE, BACKSLASH, LIST, LIST_END, OBJECT, OBJECT_END] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
