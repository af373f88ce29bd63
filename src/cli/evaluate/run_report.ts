import { basename, dirname, join, resolve } from "node:path";
import type { Item } from "../../data/dataset.ts";
import { logLevels, shownPart } from "../../io/heat.ts";
import { calibratedScore, goodScoresOf, steepnessOf, type GoodScores } from "../../detection/calibration.ts";
import type { Detector } from "../../detection/detector.ts";
import { inputWords } from "../../detection/input.ts";
import type { Inspection } from "../../detection/inspection.ts";
import { closePicture } from "../../io/image.ts";
import { shrunkMap } from "../../io/shrink.ts";
import { decodeImage, encodePng, openPicture } from "../../node/images.ts";
import { InputError } from "../../runtime/errors.ts";
import { VERSION } from "../../runtime/version.ts";
import { shownName } from "./evaluate_run.ts";
import type { EvaluatedClass, EvaluatedRun, EvaluatedImage } from "./evaluated.ts";
import { percentOf, say } from "../terminal/say.ts";
import type { Region } from "../../detection/region.ts";
import { dataUrl } from "../report/html.ts";
import { heatUrl, photographLayers, SHOWN_MAP } from "../report/layers.ts";
import { renderReport, type ReportCurve, type ReportData } from "../report/report.ts";
import type { LossCurve } from "../train/train_run.ts";

const PICTURE_SIDE = 320; // pixels of the longer side, at most
const PICTURES = 60; // of all classes: some MB
const LEAST_PICTURES = 8; // of each class

type Layers = Pick<ReportData["samples"][number], "aspect" | "picture" | "heat" | "map" | "contour">;

export interface RunReport {
  readonly title: string;
  readonly detector: Detector;
  readonly modelPath: string;
  /** SHA-256 of the model file. */
  readonly modelSha256: string;
  /** The dataset's folder, and what it was read as. */
  readonly root: string;
  readonly format: string;
  readonly evaluated: EvaluatedRun;
  /** The part of each image that counts; null where all does. */
  readonly region: Region | null;
  readonly losses: readonly LossCurve[];
  /** Facts about the run that the model does not know. */
  readonly configuration?: ReportData["configuration"];
  /** Spent on making the images, and on training; null where that is not known. */
  readonly imageSeconds: number | null;
  readonly trainingSeconds: number | null;
}

const SHOWN_THRESHOLD = 0.5;

/**
 * One self-contained HTML page about a run. Scores are shown calibrated by class, so that one line at 0.5 divides
 * good from defective in all classes. The images of its gallery are inspected once more, as maps are not kept until
 * then. One that can no longer be read is missing there, and named; its figures stay.
 */
export async function runReport(run: RunReport): Promise<string> {
  const {
    title,
    detector,
    root,
    format,
    evaluated,
    region,
    losses,
    configuration = [],
    imageSeconds,
    trainingSeconds,
  } = run;
  const { calibration } = detector.config;
  const goodScores = (className: string): GoodScores => goodScoresOf(calibration, className);
  const [low, high] = calibration.heat;
  // wider than what is painted: the threshold may lie anywhere
  const mapRange: readonly [number, number] = [low / 8, 2 * high];
  const shown = (className: string, { item, score }: EvaluatedImage) => ({
    className,
    image: shownName(item),
    defect: item.defect,
    defective: item.defective,
    score: calibratedScore(score, goodScores(className)),
  });
  const samples: ReportData["samples"][number][] = [];
  const missing: string[] = [];
  const share = Math.max(LEAST_PICTURES, Math.floor(PICTURES / evaluated.classes.length));
  for (const { data, images } of evaluated.classes) {
    for (const one of chosen(images, share)) {
      try {
        samples.push({ ...shown(data.name, one), ...(await renderLayers(detector, root, one.item, region, mapRange)) });
      } catch (error) {
        if (!(error instanceof InputError)) throw error; // it has vanished, or can no longer be read
        say(`not shown in the report: ${error.message}`);
        missing.push(error.message);
      }
    }
  }
  return renderReport({
    title,
    created: new Date().toISOString(),
    adapter: detector.device.adapter.description,
    configuration: [
      ...modelConfiguration(run),
      ["Dataset", `${basename(resolve(root))}, read as ${format}`],
      ...configuration,
      ...missing.map((reason) => ["Not in the gallery", reason] as const),
    ],
    classes: evaluated.classes.map(({ data, images, metrics, intervals, gap, method, pixels, errors }) => {
      const good = goodScores(data.name);
      const defective = images.filter(({ item }) => item.defective).length;
      return {
        name: data.name,
        metrics,
        intervals,
        gap,
        method,
        pixels,
        errors,
        train: data.train.length,
        good: images.length - defective,
        defective,
        pixelThreshold: good.pixelThreshold,
        steepness: steepnessOf(good),
      };
    }),
    mean: evaluated.mean,
    intervals: evaluated.intervals,
    losses,
    curves: evaluated.classes.map(curvesOf),
    scores: evaluated.classes.flatMap(({ data, images }) => images.map((one) => shown(data.name, one))),
    threshold: SHOWN_THRESHOLD,
    mapRange,
    samples,
    seconds: { training: trainingSeconds, evaluation: evaluated.seconds, images: imageSeconds },
  });
}

/**
 * Renders the layers of an image, cut to what the detector sees: the photograph, its map and the outline of its masks.
 */
async function renderLayers(
  detector: Detector,
  root: string,
  item: Item,
  region: Region | null,
  mapRange: readonly [number, number],
): Promise<Layers> {
  const open = detector.config.input.tiles ? openPicture : decodeImage;
  const image = await open(join(root, item.path));
  try {
    const input = { image, region: region?.of(image, item.path, detector.config.input) ?? null };
    const [inspection] = (await detector.inspect([input])) as [Inspection];
    const shown = shrunkMap(inspection, SHOWN_MAP);
    const { width, height } = shown.placement.target;
    const levels = logLevels(shownPart(shown), width, height, mapRange);
    return {
      ...(await photographLayers(detector, root, item, image, PICTURE_SIDE)),
      heat: await heatUrl(inspection),
      map: dataUrl("png", await encodePng(levels, width, height)),
    };
  } finally {
    await closePicture(image);
  }
}

/**
 * All of a class's images, if they are not too many; else of either kind those with the lowest scores and those with
 * the highest.
 */
export function chosen(images: readonly EvaluatedImage[], most: number): readonly EvaluatedImage[] {
  const rising = [...images].sort((a, b) => a.score - b.score);
  const [defective, good] = [true, false].map((kind) => rising.filter(({ item }) => item.defective === kind)) as [
    EvaluatedImage[],
    EvaluatedImage[],
  ];
  const defects = Math.min(defective.length, Math.max(Math.ceil(most / 2), most - good.length));
  return [...ends(defective, defects), ...ends(good, most - defects)];
}

const ends = <T>(values: readonly T[], most: number): readonly T[] =>
  values.length <= most
    ? values
    : [...values.slice(0, Math.ceil(most / 2)), ...values.slice(values.length - Math.floor(most / 2))];

function modelConfiguration({
  detector: { config, summary },
  modelPath,
  modelSha256,
}: RunReport): ReportData["configuration"] {
  const { method, backbone, assembly, input, calibration } = config;
  return [
    ["bigrid", VERSION],
    // not where on this machine: the page is handed on
    ["Model", join(basename(dirname(resolve(modelPath))), basename(modelPath))],
    ["Model's SHA-256", modelSha256],
    ["Backbone", "pixels" in assembly ? "none" : backbone.name],
    ...(backbone.weights === null ? [] : [["Backbone's SHA-256", backbone.weights] as const]),
    ["Stages", "pixels" in assembly ? "none: the method sees pixels" : assembly.stages.join(", ")],
    ["Input", inputWords(input)],
    ["Method", method.name],
    ...summary,
    ["Expected false rejects", `${percentOf(calibration.falseReject)} of good images`],
  ];
}

function curvesOf({ data, curves }: EvaluatedClass): ReportData["curves"][number] {
  const plain = ({ x, y }: { readonly x: Float64Array; readonly y: Float64Array }): ReportCurve => ({
    x: Array.from(x),
    y: Array.from(y),
  });
  const { roc, pr, pixelRoc, pixelPr, pro } = curves;
  return {
    name: data.name,
    roc: plain(roc),
    pr: plain(pr),
    pixelRoc: plain(pixelRoc),
    pixelPr: plain(pixelPr),
    pro: plain(pro),
  };
}
