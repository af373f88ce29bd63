import { join } from "node:path";
import { precisionRecallCurve, rocCurve, type Ranking } from "../metrics/ranking.ts";
import { calibratedScore } from "../models/calibration.ts";
import type { DetectorConfig } from "../models/detector.ts";
import { decodeImage, encodeJpeg, encodePng } from "../node/images.ts";
import { shownName, type EvaluatedClass, type EvaluatedRun } from "./evaluate_run.ts";
import { heatLayer } from "./heat.ts";
import { maskContour } from "./report/pictures.ts";
import { renderReport, type Curve, type ReportData } from "./report/report.ts";
import type { LossCurve } from "./train_run.ts";

const CURVE_POINTS = 200;
const PICTURE_SIDE = 320; // pixels, at most: square, as the model sees it

export interface RunReport {
  readonly title: string;
  readonly adapter: string;
  readonly root: string;
  readonly config: DetectorConfig;
  readonly configuration: ReportData["configuration"];
  readonly losses: readonly LossCurve[];
  /** Spent on making the images. */
  readonly imageSeconds: number;
  readonly trainingSeconds: number;
  readonly evaluated: EvaluatedRun;
}

const SHOWN_THRESHOLD = 0.5;

/**
 * One self-contained HTML page about a run. Scores are shown calibrated by class, so that one line at 0.5 divides
 * good from defective in all classes.
 */
export async function runReport({ title, adapter, root, config, configuration, losses, imageSeconds, trainingSeconds, evaluated }: RunReport): Promise<string> {
  const { calibration } = config;
  const shownScore = (className: string, score: number): number => calibratedScore(score, calibration.classes[className] ?? calibration);
  const judged = evaluated.classes.flatMap(({ data, judged }) => judged.map((sample) => ({ ...sample, className: data.name })));
  const dataUrl = (type: string, bytes: Uint8Array) => `data:image/${type};base64,${Buffer.from(bytes).toString("base64")}`;
  const samples = [];
  for (const { item, className, defective, score, map, mask, width, height } of judged) {
    const photograph = await decodeImage(join(root, item.path));
    const side = Math.min(PICTURE_SIDE, Math.max(photograph.width, photograph.height));
    samples.push({
      className,
      image: shownName(item),
      defect: item.defect,
      defective,
      score: shownScore(className, score),
      picture: dataUrl("jpeg", await encodeJpeg(photograph, side, side)),
      heat: dataUrl("png", await encodePng(heatLayer(map, width, height, calibration.heat), width, height)),
      contour: mask ? dataUrl("png", await encodePng(maskContour(mask, width, height), width, height)) : null,
    });
  }
  return renderReport({
    title,
    created: new Date().toISOString(),
    adapter,
    configuration,
    classes: evaluated.classes.map(({ data, judged, metrics }) => ({
      name: data.name,
      metrics,
      train: data.train.length,
      good: judged.filter(({ defective }) => !defective).length,
      defective: judged.filter(({ defective }) => defective).length,
    })),
    mean: evaluated.mean,
    losses,
    curves: evaluated.classes.map(curvesOf),
    scores: samples.map(({ className, image, defect, defective, score }) => ({ className, image, defect, defective, score })),
    threshold: SHOWN_THRESHOLD,
    samples,
    seconds: { training: trainingSeconds, evaluation: evaluated.seconds, images: imageSeconds },
  });
}

function curvesOf({ data, rankings: { image, pixel } }: EvaluatedClass) {
  return { name: data.name, ...both(image, "roc", "pr"), ...both(pixel, "pixelRoc", "pixelPr") };
}

function both<Roc extends string, Pr extends string>(ranking: Ranking | null, roc: Roc, pr: Pr): Record<Roc | Pr, Curve> {
  const defined = ranking !== null && ranking.positives > 0 && ranking.negatives > 0;
  const curve = (of: (ranking: Ranking, points: number) => { readonly x: Float64Array; readonly y: Float64Array }): Curve => {
    if (!defined) return { x: [], y: [] };
    const { x, y } = of(ranking, CURVE_POINTS);
    return { x: Array.from(x), y: Array.from(y) };
  };
  return { [roc]: curve(rocCurve), [pr]: curve(precisionRecallCurve) } as Record<Roc | Pr, Curve>;
}
