import { OptionError } from "../../src/runtime/errors.ts";

/** A whole number from the command line; null where none is given. */
export function numberOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text)) throw new OptionError(`--${name}: expected a whole number of at most nine digits, got ${text}`);
  return Number(text);
}
