import { isAbsolute, relative } from "node:path";
import { readConfiguration } from "../../src/cli/flags/option_flags.ts";
import { OptionError } from "../../src/runtime/errors.ts";

/** A compared choice: a training with options of its own, or a search for nearest neighbours without a model. */
export type Choice =
  | { readonly name: string; readonly window: number }
  | { readonly name: string; readonly options: Readonly<Record<string, unknown>> };

/**
 * Reads the choices of a file: by name `{ "options": ... }` of a training, or the `{ "window": ... }` of cells over
 * which features are averaged for a search.
 * @param names those wanted, in this order; null for all
 * @throws OptionError for a choice that is neither, or a name that the file has not; InputError for a file that cannot
 * be read
 */
export async function readChoices(path: string, names: readonly string[] | null): Promise<Choice[]> {
  const read = await readConfiguration(path);
  const unknown = names?.find((name) => !Object.hasOwn(read, name));
  if (unknown !== undefined)
    throw new OptionError(`${path} has the choices ${Object.keys(read).join(", ")}; got ${unknown}`);
  return (names ?? Object.keys(read)).map((name) => choiceOf(name, read[name], path));
}

function choiceOf(name: string, value: unknown, path: string): Choice {
  const { options, window } = (value ?? {}) as { readonly options?: unknown; readonly window?: unknown };
  if (Number.isInteger(window) && (window as number) % 2 === 1 && options === undefined)
    return { name, window: window as number };
  if (typeof options === "object" && options !== null && !Array.isArray(options) && window === undefined)
    return { name, options: options as Readonly<Record<string, unknown>> };
  const shown = isAbsolute(path) ? path : relative(".", path);
  throw new OptionError(`${shown}: expected ${name} to be {"options": {...}} or {"window": an odd number}`);
}
