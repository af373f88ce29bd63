import { ENDING, endBySignal } from "./exit_codes.ts";
import { say } from "./say.ts";

const TWICE = 500; // milliseconds: a terminal's signal comes by itself and from the launcher

/** Notes a signal that asks to end, instead of dying of it. */
export class AwaitedSignals {
  came: NodeJS.Signals | null = null;
  #at = 0;
  readonly #note: (signal: NodeJS.Signals) => void;

  /**
   * @param answer what is said to be done about it
   * @param onSignal called at the first one
   */
  constructor(answer: string, onSignal: () => void = () => undefined) {
    this.#note = (signal) => {
      if (this.came && performance.now() - this.#at < TWICE) return;
      if (this.came) endBySignal(signal); // asked twice: at once
      [this.came, this.#at] = [signal, performance.now()];
      say(`${signal}: ${answer}`);
      onSignal();
    };
    for (const signal of ENDING) process.on(signal, this.#note);
  }

  /** Notes no more, but where one came: its second copy may be late, and this process is to end as it was going to. */
  ignore(): void {
    if (this.came) return;
    for (const signal of ENDING) process.off(signal, this.#note);
  }
}
