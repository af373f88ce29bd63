import { calibratedScore, goodScoresOf, type Calibration } from "../../detection/calibration.ts";
import type { AddedImage } from "../../detection/continuation.ts";
import { nameShown } from "../../io/printable.ts";
import { percentOf } from "../terminal/say.ts";

const HEAD = [
  ["", "good", "threshold", "", "calibrated score", "", "called defective", "", "by models"],
  ["class", "added", "before", "now", "before", "now", "before", "now", "without them"],
];
const MOST_NAMED = 3;

/** A table of what added images have changed, class by class, and those that are called defective all the same. */
export function addedTable(added: readonly AddedImage[], before: Calibration, now: Calibration): string {
  const isAbove = (score: number, calibration: Calibration, name: string): boolean =>
    score > goodScoresOf(calibration, name).threshold;
  const rows = [...new Set(added.map(({ className }) => className))].map((name) => {
    const own = added.filter(({ className }) => className === name);
    const held = own.flatMap(({ heldOut }) => (heldOut === null ? [] : [heldOut]));
    const typical = (calibration: Calibration, scores: readonly number[]): string =>
      middle(scores.map((score) => calibratedScore(score, goodScoresOf(calibration, name)))).toFixed(3);
    return [
      nameShown(name),
      String(own.length),
      goodScoresOf(before, name).threshold.toPrecision(3),
      goodScoresOf(now, name).threshold.toPrecision(3),
      typical(
        before,
        own.map((one) => one.before),
      ),
      typical(
        now,
        own.map((one) => one.after),
      ),
      String(own.filter((one) => isAbove(one.before, before, name)).length),
      String(own.filter((one) => isAbove(one.after, now, name)).length),
      held.length === 0 ? "-" : `${held.filter((score) => isAbove(score, now, name)).length} of ${held.length}`,
    ];
  });
  const all = [...HEAD, ...rows];
  const widths = HEAD[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  const still = added.filter(({ after, className }) => isAbove(after, now, className)).map(({ name }) => name);
  const more = still.length > MOST_NAMED ? [`  and ${still.length - MOST_NAMED} more`] : [];
  return [
    ...all.map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2)))
        .join("")
        .trimEnd(),
    ),
    `expected of new good images: ${percentOf(now.falseReject)} called defective`,
    ...(still.length > 0 ? ["called defective all the same:"] : []),
    ...still.slice(0, MOST_NAMED).map((name) => `  ${name}`),
    ...more,
  ].join("\n");
}

/** The lower median. */
const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1]!;
