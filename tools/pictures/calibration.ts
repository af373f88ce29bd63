import { readFile } from "node:fs/promises";
import { calibratedScore, calibrationOf } from "../../src/detection/calibration.ts";
import { predictionOf } from "../../src/detection/upper_bound.ts";
import { studentTail } from "../../src/metrics/student.ts";
import { line, path, picture, rectangle, short, SMALL, text, type Mark, type Point } from "./draw.ts";
import { MARGIN, WIDTH } from "./flow.ts";

/** The measured scores. */
export const CALIBRATION = "tools/pictures/calibration.json";

/** Scores of good images held out of a training, and of images that it never saw. */
export interface CalibrationData {
  readonly pictures: Readonly<Record<string, number | string>>;
  readonly options: Readonly<Record<string, number>>;
  readonly adapter: string;
  readonly falseReject: number;
  readonly heldOut: readonly { readonly score: number; readonly peak: number }[];
  readonly good: readonly number[];
  readonly defective: readonly number[];
}

const [LEFT, RIGHT, TOP, BASE] = [MARGIN + 108, WIDTH - MARGIN, 64, 250]; // of the histogram
const BINS = 0.08; // width, in logarithms
const CURVE = 120; // points
const TICKS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];
const ROWS = [BASE + 26, BASE + 54];

/** Density of a further value's distribution, by the difference of its tail. */
function densityOf({ mean, std, freedom }: ReturnType<typeof predictionOf>): (x: number) => number {
  const [step, tail] = [1e-3, (t: number) => (t >= 0 ? studentTail(t, freedom) : 1 - studentTail(-t, freedom))];
  return (x) => (tail((x - mean) / std - step) - tail((x - mean) / std + step)) / (2 * step * std);
}

/** A histogram of scores of good images, and the threshold that they set. */
export async function calibration(): Promise<string> {
  const data = JSON.parse(await readFile(CALIBRATION, "utf8")) as CalibrationData;
  const className = String(data.pictures["className"]);
  const { threshold, typical } = calibrationOf(
    data.heldOut.map((each) => ({ className, ...each })),
    data.falseReject,
  );
  const calibrated = (score: number): string => short(calibratedScore(score, { threshold, typical }));
  const logs = data.heldOut.map(({ score }) => Math.log(score / typical));
  const prediction = predictionOf(logs);
  const { mean, std } = prediction;
  const density = densityOf(prediction);
  const all = [
    ...logs,
    ...data.good.map((score) => Math.log(score / typical)),
    ...data.defective.map((score) => Math.log(score / typical)),
  ];
  const limit = Math.log(threshold / typical);
  const [low, high] = [Math.min(...all, mean - 4 * std), Math.max(...all) + BINS];
  const x = (value: number): number => LEFT + ((value - low) / (high - low)) * (RIGHT - LEFT);

  const counts = new Map<number, number>();
  for (const value of logs) counts.set(Math.floor(value / BINS), (counts.get(Math.floor(value / BINS)) ?? 0) + 1);
  const expected = (value: number): number => density(value) * BINS * logs.length;
  const tallest = Math.max(...counts.values(), expected(0));
  const y = (count: number): number => BASE - (count / tallest) * (BASE - TOP);
  const bars = [...counts]
    .sort(([a], [b]) => a - b)
    .map(([bin, count]) =>
      rectangle([x(bin * BINS) + 0.5, y(count)], x((bin + 1) * BINS) - x(bin * BINS) - 1, BASE - y(count), {
        fill: "blueSoft",
        stroke: "blue",
        width: 1,
      }),
    );
  const curveFrom = (start: number): Point[] =>
    Array.from({ length: CURVE + 1 }, (_, i): Point => {
      const value = start + (i / CURVE) * (high - start);
      return [x(value), y(expected(value))];
    });
  const tail = curveFrom(limit);
  const share = data.good.filter((score) => score > threshold).length;
  const found = data.defective.filter((score) => score > threshold).length;
  const upright = (value: number, top: number): Mark =>
    line(
      [
        [x(value), top],
        [x(value), ROWS[1]! + 12],
      ],
      { stroke: "ink", width: 1.5, dashed: value !== limit },
    );
  const strokes = (scores: readonly number[], middle: number, stroke: "green" | "red"): Mark =>
    path(scores.map((score) => `M${short(x(Math.log(score / typical)))} ${middle - 6}v12`).join(""), { stroke });
  const ticks = TICKS.filter((tick) => Math.log(tick) > low && Math.log(tick) < high);
  return picture(
    {
      width: WIDTH,
      height: ROWS[1]! + 70,
      title: "Calibration: from scores of good images to a threshold",
      description: `A histogram of the scores of ${logs.length} good images held out of a training, on a logarithmic axis, with the fitted distribution of one more image. The threshold lies where ${100 * data.falseReject} % of that distribution are above it, at ${short(threshold / typical)} times a typical score. Of ${data.good.length} further good images ${share} lie above it, of ${data.defective.length} defective ones ${found}. Calibrated, a typical good image scores ${calibrated(typical)} and the threshold is ${calibrated(threshold)}. The scores are those of ${CALIBRATION}.`,
    },
    [
      ticks.flatMap((tick) => [
        line(
          [
            [x(Math.log(tick)), TOP],
            [x(Math.log(tick)), ROWS[1]! + 12],
          ],
          { stroke: "hair", width: 1 },
        ),
        text([x(Math.log(tick)), ROWS[1]! + 32], `× ${tick}`, { anchor: "middle", size: SMALL, role: "quiet" }),
      ]),
      bars,
      path(
        `M${tail.map(([a, b]) => `${short(a)} ${short(b)}`).join("L")}L${short(x(high))} ${BASE}L${short(x(limit))} ${BASE}z`,
        { fill: "red" },
      ),
      line(curveFrom(low), { stroke: "ink", width: 2 }),
      line(
        [
          [LEFT, BASE],
          [RIGHT, BASE],
        ],
        { stroke: "line" },
      ),
      upright(0, TOP - 8),
      upright(limit, TOP - 8),
      text([x(0), TOP - 34], "typical", { anchor: "middle", bold: true }),
      text([x(0), TOP - 16], `calibrated ${calibrated(typical)}`, { anchor: "middle", size: SMALL, role: "quiet" }),
      text([x(limit) + 8, TOP + 12], "threshold", { bold: true }),
      text([x(limit) + 8, TOP + 32], `calibrated ${calibrated(threshold)}`, { size: SMALL, role: "quiet" }),
      text([x(limit) + 8, TOP + 52], `${100 * data.falseReject} % beyond it`, { size: SMALL, role: "red" }),
      text([MARGIN, BASE - 30], `${logs.length} good,`, { size: SMALL, role: "blue" }),
      text([MARGIN, BASE - 12], "held out", { size: SMALL, role: "blue" }),
      text([MARGIN, ROWS[0]! + 5], `${data.good.length} more good`, { size: SMALL, role: "green" }),
      text([MARGIN, ROWS[1]! + 5], `${data.defective.length} defective`, { size: SMALL, role: "red" }),
      strokes(data.good, ROWS[0]!, "green"),
      strokes(data.defective, ROWS[1]!, "red"),
      text([(LEFT + RIGHT) / 2, ROWS[1]! + 54], "score, in units of a typical good image's", {
        anchor: "middle",
        size: SMALL,
        role: "quiet",
      }),
    ],
  );
}
