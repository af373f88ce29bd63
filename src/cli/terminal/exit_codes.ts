import { constants } from "node:os";

export const FAILED = 1;
export const WRONG_USAGE = 2;

/** Signals that ask a process to end: from a terminal, from a supervisor, and from a terminal that is closed. */
export const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The exit code that shells show for a process that a signal ended. */
export const codeOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** The exit code that says how a child ended: its own, or its signal's; `FAILED` where it has neither. */
export const exitCodeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
  signal ? codeOfSignal(signal) : (code ?? FAILED);

/**
 * Ends this process by a signal, at once and without any cleaning up that a thread of Dawn's or the driver's could be
 * disturbed by. The first process of a container, which signals of its own do not end, exits with the code instead.
 */
export function endBySignal(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(codeOfSignal(signal));
}
