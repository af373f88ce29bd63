import { parseArgs } from "node:util";
import { BigridError, OptionError } from "../../src/runtime/errors.ts";

/** Values of command-line options that all take a value. */
export interface Given {
  readonly text: (name: string) => string | null;
  readonly number: (name: string) => number | null;
}

const WRONG_USAGE = 2;

/**
 * Runs a script with its parsed options.
 * @param names of the known options
 * @returns the exit code: that of `run`, or 2, with a message, for invalid options
 */
export async function withArguments<T>(
  args: readonly string[],
  names: readonly string[],
  read: (given: Given) => T,
  run: (options: T) => Promise<number>,
): Promise<number> {
  let options: T;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries(names.map((name) => [name, { type: "string" } as const])),
    });
    const text = (name: string): string | null => values[name] ?? null;
    options = read({ text, number: (name) => numberOf(name, text(name)) });
  } catch (error) {
    if (!(error instanceof BigridError || error instanceof TypeError)) throw error; // parseArgs throws the latter
    console.error(error.message.split("\n")[0]);
    return WRONG_USAGE;
  }
  return run(options);
}

function numberOf(name: string, text: string | null): number | null {
  if (text === null) return null;
  if (!/^\d{1,9}$/.test(text))
    throw new OptionError(`--${name}: expected a whole number of at most nine digits, got ${text}`);
  return Number(text);
}
