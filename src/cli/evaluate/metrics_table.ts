import type { Interval } from "../../metrics/bootstrap.ts";
import { METRIC_TITLES, METRICS, type MetricName } from "../../metrics/metrics.ts";
import { rank, youden } from "../../metrics/ranking.ts";
import { calibratedScore, goodScoresOf, thresholdsAt, type Calibration } from "../../detection/calibration.ts";
import type { EvaluatedRun, EvaluatedImage } from "./evaluated.ts";
import { nameShown } from "../../io/printable.ts";

const GAP = 2;
const INTERVAL_WIDTH = "100.0-100.0".length;

/**
 * A table of metrics in percent: two lines a class, its figures and below them their intervals, and two for their mean.
 * Then what they mean, what the model's own verdicts are, what is undefined, and what is not exact.
 */
export function metricsTable({ classes, mean, intervals }: EvaluatedRun, calibration: Calibration): string {
  const rows = classes.map(({ data, metrics, intervals }) => ({ name: nameShown(data.name), metrics, intervals }));
  if (rows.length > 1) rows.push({ name: "mean", metrics: mean, intervals });
  const width = Math.max(5, ...rows.map(({ name }) => name.length));
  const widthOf = (title: string): number => GAP + Math.max(intervals ? INTERVAL_WIDTH : "100.0".length, title.length);
  const line = (name: string, cell: (key: MetricName, title: string) => string): string =>
    name.padEnd(width) +
    METRICS.map((key) => cell(key, METRIC_TITLES[key]).padStart(widthOf(METRIC_TITLES[key]))).join("");
  const lines = [line("class", (_, title) => title)];
  for (const { name, metrics, intervals } of rows) {
    lines.push(line(name, (key) => percent(metrics[key])));
    if (intervals) lines.push(line("", (key) => range(intervals[key])));
  }
  lines.push(`in percent${intervals ? "; below each figure its 95 % bootstrap interval" : ""}`);
  lines.push(
    "image: telling defective images from good ones; pixel: finding where the defect is; 100 is perfect, an AUROC of 50 is chance",
  );
  for (const { data, images } of classes) lines.push(...verdictsOf(data.name, images, calibration));
  for (const { data, gap } of classes) if (gap) lines.push(`${nameShown(data.name)}: ${gap}`);
  for (const { data, pixels, errors } of classes) {
    const most = Math.max(...Object.values(errors).map((error) => error ?? 0));
    if (!(most > 0)) continue;
    lines.push(
      `${nameShown(data.name)}: pixel metrics of ${pixels} pixels were streamed, and are at most ${roundedUp(100 * most)} percentage points off`,
    );
  }
  return lines.join("\n");
}

/** Counts the model's verdicts, at its own threshold and at the best one for these images. */
function verdictsOf(className: string, images: readonly EvaluatedImage[], calibration: Calibration): string[] {
  const [name, good] = [nameShown(className), goodScoresOf(calibration, className)];
  const ofClass = Object.keys(calibration.classes).length > 1 && Object.hasOwn(calibration.classes, className);
  const [defects, goodOnes] = [true, false].map((kind) => images.filter(({ item }) => item.defective === kind)) as [
    EvaluatedImage[],
    EvaluatedImage[],
  ];
  const at = (threshold: number): string => {
    const above = (some: readonly EvaluatedImage[]): number => some.filter(({ score }) => score > threshold).length;
    return `catches ${above(defects)} of ${defects.length} defective images, and rejects ${above(goodOnes)} of ${goodOnes.length} good ones`;
  };
  const own = at(good.threshold);
  const lines = [`${name}: at its own threshold the model ${own}`];
  const best = youden(
    rank(
      Float64Array.from(images, ({ score }) => score),
      Uint8Array.from(images, ({ item }) => Number(item.defective)),
    ),
  );
  // Rounded down: below the score that is to be caught.
  const share = best ? Math.min(Math.floor(1000 * calibratedScore(best.threshold, good)), 999) / 1000 : 0;
  if (share === 0) return lines;
  const there = at(thresholdsAt(good, share).threshold);
  const flags = `${ofClass ? `--class ${name} ` : ""}--threshold ${share}`;
  return there === own
    ? lines
    : [...lines, `${name}: with predict ${flags}, the best balance of both for these images, it ${there}`];
}

const percent = (fraction: number | null): string => (fraction === null ? "-" : (100 * fraction).toFixed(1));

/** One digit that is not less than the number. */
function roundedUp(value: number): string {
  const unit = 10 ** Math.floor(Math.log10(value));
  return String(Number((Math.ceil(value / unit) * unit).toPrecision(1)));
}

const range = (interval: Interval | null): string => (interval ? interval.map(percent).join("-") : "-");
