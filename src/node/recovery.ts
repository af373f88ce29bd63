import { OutOfMemoryError, TooLargeError } from "../runtime/errors.ts";

/** True if fewer images at a time may help. */
export const wantsLess = (error: unknown): boolean =>
  error instanceof OutOfMemoryError || error instanceof TooLargeError;

/** The same error with what to do about it. */
export const advised = (error: Error, advice: string): Error =>
  new (error.constructor as new (words: string, options: ErrorOptions) => Error)(`${error.message}; ${advice}`, {
    cause: error,
  });

/** Fewer images at a time. */
export const half = (batch: number): number => Math.ceil(batch / 2);
