// Axes of plots: even steps, few numbers.
import { line, SMALL, text, type Mark } from "./draw.ts";

/** A linear scale: from values to places in a picture. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly at: (value: number) => number;
}

export const scaleOf = (low: number, high: number, from: number, to: number): Scale => ({
  low,
  high,
  at: (value) => from + ((value - low) / (high - low)) * (to - from),
});

const STEPS = [1, 2, 5, 10];

/** Round values within a range, at most so many. */
export function ticksOf(low: number, high: number, most: number): number[] {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * STEPS.find((each) => each * power >= rough)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Upright lines of a plot at round values, with these below. */
export const columns = ({ low, high, at }: Scale, top: number, bottom: number, most: number): Mark[] =>
  ticksOf(low, high, most).flatMap((value) => [
    line(
      [
        [at(value), top],
        [at(value), bottom],
      ],
      { stroke: "hair", width: 1 },
    ),
    text([at(value), bottom + 18], String(value), { anchor: "middle", size: SMALL, role: "quiet" }),
  ]);
