import progress from "cli-progress";
import { printable } from "../../io/printable.ts";
import { messages } from "./messages.ts";

/** A piece of work whose end is in sight. */
export interface Progress {
  /** Done so far, and what is worth saying about it. */
  update(done: number, note?: string): void;
  /** The same, with a share of the next one; only a terminal shows it, until the next update. */
  updatePartly(done: number, share: number, note: string): void;
  end(): void;
}

const LINE_EVERY = 10_000; // milliseconds, where there is no terminal to redraw

/** A bar with the time left on standard error; plain lines now and then where that is no terminal. */
export function showProgress(title: string, total: number): Progress {
  const isTerminal = "isTTY" in messages && messages.isTTY === true;
  const bar = new progress.SingleBar(
    {
      format: `{title} {bar} {percentage}% | {value}/{total}{eta_formatted} {note}`,
      // Nothing as long as nothing is done from which time could be told; the bar says so by words that are no numbers.
      formatTime: (left, options, multiple) =>
        left > 0 ? ` | ${progress.Format.TimeFormat(left, options, multiple)} left` : "",
      formatValue: (value, _options, type) => String(type === "value" ? Math.floor(value) : value), // whole ones
      stream: messages,
      hideCursor: true,
      etaBuffer: 50,
      stopOnComplete: false,
      clearOnComplete: false,
      noTTYOutput: true,
      notTTYSchedule: LINE_EVERY,
    },
    progress.Presets.shades_classic,
  );
  // no part of the format, which has braces of its own
  bar.start(total, 0, { title: printable(title).padEnd(30), note: "" });
  let note = "";
  return {
    update: (done, said = note) => bar.update(done, { note: (note = printable(said)) }),
    updatePartly: (done, share, said) => {
      if (isTerminal) bar.update(done + share, { note: printable(said) });
    },
    end: () => bar.stop(),
  };
}
