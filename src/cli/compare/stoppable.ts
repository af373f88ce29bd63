import { AwaitedSignals } from "../terminal/signals.ts";
import { EndedTraining } from "../train/train_run.ts";

/** A signal has asked to end. */
class SignalCame extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(signal);
    this.signal = signal;
  }
}

/**
 * Runs work that a signal ends at its next step, or at its end.
 * @param work calls what it is given before each step, which throws then
 */
export async function stoppable<T>(work: (requireGoingOn: () => void) => Promise<T>): Promise<T> {
  const signals = new AwaitedSignals("ending after this step");
  const requireGoingOn = (): void => {
    if (signals.came) throw new SignalCame(signals.came);
  };
  try {
    const done = await work(requireGoingOn);
    requireGoingOn();
    return done;
  } finally {
    signals.ignore();
  }
}

/** The signal that ended some work, or a training; null for any other error. */
export const signalOf = (error: unknown): NodeJS.Signals | null =>
  error instanceof SignalCame || error instanceof EndedTraining ? error.signal : null;
