import { printable, printableLines } from "../../io/printable.ts";
import { messages } from "./messages.ts";
import { outputFailure, write } from "./standard_output.ts";

/** Says something to the user, in one line. Results go to standard output, everything else to standard error. */
export const say = (text: string): void => void messages.write(`${printable(text)}\n`);

/** Says something in several lines. */
export const sayLines = (text: string): void => void messages.write(`${printableLines(text)}\n`);

let isReserved = false;

/** Leaves standard output to a file that is written there: results for people go to standard error from now on. */
export const reserveOutput = (): void => void (isReserved = true);

/** Prints a result, in one line. */
export const print = (text: string): void => (isReserved ? say(text) : void write(`${printable(text)}\n`));

/** Prints a text of several lines. */
export const printLines = (text: string): void =>
  isReserved ? sayLines(text) : void write(`${printableLines(text)}\n`);

/** Prints a text in parts, none before the one before it is on its way, and no more once standard output has failed. */
export async function printParts(parts: AsyncIterable<string>): Promise<void> {
  for await (const part of parts) {
    await write(printableLines(part));
    if (outputFailure()) return;
  }
}

/** "1.5 %". */
export const percentOf = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

/** Bytes of a megabyte, as files and buffers are told of. */
export const MEGABYTE = 1e6;
