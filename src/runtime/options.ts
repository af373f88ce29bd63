import { OptionError } from "./errors.ts";

/**
 * Fills in defaults for options that are not given. Unknown options throw OptionError, so that a misspelt one does not
 * silently take its default.
 */
export function readOptions<T extends object>(op: string, options: Partial<T>, defaults: T): T {
  requireKnown(op, options, defaults);
  const read = ([name, value]: [string, unknown]): [string, unknown] => [name, options[name as keyof T] ?? value];
  return Object.fromEntries(Object.entries(defaults).map(read)) as T;
}

/** Throws OptionError for an option that `known` does not have. */
export function requireKnown(op: string, given: object, known: object): void {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined)
    throw new OptionError(`${op}: unknown option ${unknown}; it takes ${Object.keys(known).join(", ")}`);
}

/** Index of a word among an option's choices: the value of the WGSL's override. Throws OptionError for another word. */
export function choiceOf(op: string, name: string, choices: readonly string[], value: unknown): number {
  const index = choices.indexOf(value as string);
  if (index >= 0) return index;
  const words = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw new OptionError(`${op}: expected ${name} to be ${words}, got ${shown(value)}`);
}

/** A value of any kind for an error message, shortened. */
export const shown = (value: unknown): string =>
  (typeof value === "number" || typeof value === "string" ? `${value}` : (JSON.stringify(value) ?? "undefined")).slice(
    0,
    80,
  );

/** Throws OptionError unless all values are whole numbers from `least` to `most`. */
export function requireWhole(
  op: string,
  name: string,
  least: number,
  values: readonly number[],
  most = Number.MAX_SAFE_INTEGER,
): void {
  if (!values.every((value) => Number.isInteger(value) && value >= least)) {
    throw new OptionError(`${op}: expected ${name} to be whole numbers of at least ${least}, got ${values.join(",")}`);
  }
  if (!values.every((value) => value <= most)) {
    throw new OptionError(`${op}: expected ${name} to be at most ${most}, got ${values.join(",")}`);
  }
}
