import plotLicence from "uplot/LICENSE?raw";
import plotCode from "uplot/dist/uPlot.iife.min.js?raw";
import plotStyle from "uplot/dist/uPlot.min.css?raw";
import type { Intervals } from "../../metrics/bootstrap.ts";
import type { Metrics } from "../../metrics/metrics.ts";
import { InputError } from "../../runtime/errors.ts";
import { PAGE, PAGE_SCRIPT, PAGE_STYLE } from "./page/page.ts";
import { heatColour } from "../../io/heat.ts";
import { UNSEEN } from "../../io/printable.ts";
import { contentPolicy, escapedText, unixLines } from "./html.ts";

/** Points of a curve in drawing order, both coordinates in [0, 1]; no points where the curve is undefined. */
export interface ReportCurve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Everything that the report shows. */
export interface ReportData {
  /** The heading, such as "Demo: synthetic inspection set". */
  readonly title: string;
  /** When the run was made, ISO 8601. */
  readonly created: string;
  /** The WebGPU adapter that did the work. */
  readonly adapter: string;
  /** The settings that the run was made with, in the order to show it in. */
  readonly configuration: readonly (readonly [name: string, value: string])[];
  /** Per class: its figures, how many images there are, and what its scores mean. */
  readonly classes: readonly {
    readonly name: string;
    readonly metrics: Metrics;
    /** 95 % confidence intervals, if there are any. */
    readonly intervals: Intervals | null;
    /** The largest distance of each metric from the exact one. */
    readonly errors: Metrics;
    /** The kind of pixel metrics, and the number of pixels behind them. */
    readonly method: "exact" | "streaming";
    readonly pixels: number;
    /** The reason why some metrics are undefined, if some are. */
    readonly gap: string | null;
    readonly train: number;
    readonly good: number;
    readonly defective: number;
    /**
     * Above it a map's value v belongs to a defect; v is calibrated as scores are, to 1 / (1 + (pixelThreshold / v) **
     * steepness), so that the outlines follow the threshold when it moves.
     */
    readonly pixelThreshold: number;
    readonly steepness: number;
  }[];
  /** The mean of the classes' metrics, and its intervals. */
  readonly mean: Metrics;
  readonly intervals: Intervals | null;
  /** One a training stage; values that are not finite leave gaps. */
  readonly losses: readonly {
    readonly stage: string;
    readonly steps: readonly number[];
    readonly values: readonly number[];
  }[];
  /**
   * One a class. ROC: x = false positive rate, y = true positive rate. PR: x = recall, y = precision. PRO: y = overlap
   * by region.
   */
  readonly curves: readonly {
    readonly name: string;
    readonly roc: ReportCurve;
    readonly pr: ReportCurve;
    readonly pixelRoc: ReportCurve;
    readonly pixelPr: ReportCurve;
    readonly pro: ReportCurve;
  }[];
  /** One a test image. */
  readonly scores: readonly {
    readonly className: string;
    readonly image: string;
    readonly defect: string;
    readonly defective: boolean;
    readonly score: number;
  }[];
  /** Images with a higher score are rejected. */
  readonly threshold: number;
  /** Values of a map that are 0 and 255 in its picture; logarithmic between. */
  readonly mapRange: readonly [low: number, high: number];
  /**
   * The images of the gallery: data URLs of the photograph, of the transparent heat map, of the map itself in 8 bits,
   * and of the mask's outline, of whatever sizes: all cover the same, which is `aspect` times as wide as high.
   */
  readonly samples: readonly {
    readonly className: string;
    readonly image: string;
    readonly defect: string;
    readonly defective: boolean;
    readonly score: number;
    readonly aspect: number;
    readonly picture: string;
    readonly heat: string;
    readonly map: string;
    readonly contour: string | null;
  }[];
  /**
   * Wall time, in seconds, of making the images, of training, and of evaluating all test images; null where not known.
   */
  readonly seconds: { readonly training: number | null; readonly evaluation: number; readonly images: number | null };
}

/**
 * Renders the report: one HTML document with all images, styles and scripts inside, which asks the network for nothing.
 *
 * Names are shown as text and can hold anything: the data lies in the page as escaped JSON, the page's script only ever
 * sets text, and a content security policy lets no other script run.
 *
 * @param data what to show; the same data gives the same document
 * @returns the document's text, to be stored as UTF-8
 * @throws InputError if the threshold or a score is not finite
 */
export function renderReport(data: ReportData): string {
  if (!Number.isFinite(data.threshold))
    throw new InputError(`renderReport: the threshold is ${data.threshold}, expected a finite number`);
  for (const { className, image, score } of [...data.scores, ...data.samples]) {
    if (!Number.isFinite(score)) {
      throw new InputError(`renderReport: the score of ${className} ${image} is ${score}, expected a finite number`);
    }
  }
  const heatScale = Array.from({ length: 17 }, (_, i) => {
    const [red, green, blue, alpha] = heatColour(i / 16);
    return `rgb(${red} ${green} ${blue} / ${(alpha / 255).toFixed(3)})`;
  });
  const library = `/*!\nuPlot\n${unixLines(plotLicence)}\n*/\n${unixLines(plotCode).replace(/^\/\*![^\n]*\n/, "")}`;
  const script = unixLines(PAGE_SCRIPT);
  const slots: Record<string, string> = {
    policy: contentPolicy([library, script]),
    title: escapedText(data.title),
    style: `${plotStyle}\n${PAGE_STYLE}`,
    data: escapedJson({ ...data, heatScale, unseen: UNSEEN.source }),
    library,
    script,
  };
  // A function as replacement, and one pass: nothing that is filled in is looked at again.
  return unixLines(PAGE).replace(/\{\{(\w+)\}\}/g, (_, name: string) => slots[name] as string);
}

/** JSON that can stand inside a script element: no markup, and no line separators that older scripts choke on. */
function escapedJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
