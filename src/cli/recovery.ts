import { OutOfMemoryError, TooLargeError } from "../runtime/errors.ts";

/** Whether fewer images at a time may help. */
export const wantsLess = (error: unknown): boolean => error instanceof OutOfMemoryError || error instanceof TooLargeError;

/** Fewer images at a time. */
export const half = (batch: number): number => Math.ceil(batch / 2);
