import { OptionError } from "./errors.ts";

/**
 * Fills in defaults for options that are not given. Unknown options throw OptionError, so that a misspelt one does not
 * silently take its default.
 */
export function readOptions<T extends object>(op: string, options: Partial<T>, defaults: T): T {
  for (const name of Object.keys(options)) {
    if (name in defaults) continue;
    throw new OptionError(`${op}: unknown option ${name}; it takes ${Object.keys(defaults).join(", ")}`);
  }
  const read = ([name, value]: [string, unknown]): [string, unknown] => [name, options[name as keyof T] ?? value];
  return Object.fromEntries(Object.entries(defaults).map(read)) as T;
}

/** Index of a word among an option's choices: the value of the WGSL's override. Throws OptionError for another word. */
export function choiceOf(op: string, name: string, choices: readonly string[], value: string): number {
  const index = choices.indexOf(value);
  if (index >= 0) return index;
  const words = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw new OptionError(`${op}: expected ${name} to be ${words}, got ${value}`);
}

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
