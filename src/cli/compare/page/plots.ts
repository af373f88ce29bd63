import type { Interval } from "../../../metrics/bootstrap.ts";
import { escapedText } from "../../report/html.ts";
import type { CostColumn } from "../words.ts";

/** A value with what is known about its error, in percent. */
export interface PlottedValue {
  readonly value: number;
  readonly interval: Interval | null;
  readonly seeds: readonly number[];
}

/** A method on a plot. */
export interface PlottedMethod {
  readonly title: string;
  /** A class of the style sheet that sets its colour. */
  readonly colour: string;
}

/** An axis: the values at its ends, and those that are labelled. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

const MOST_TICKS = 5;
const STEPS = [0.5, 1, 2, 5, 10, 20, 25, 50];
const HEIGHT = 250; // pixels of a scatter plot, as the style sheet has it
const [LABEL_HEIGHT, LABEL_REACH] = [17, 34]; // pixels, and percent of the width

/** An axis in percent around some values, from 0 to 100 at most. */
export function percentAxis(values: readonly number[]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const ends = (step: number): readonly [number, number] => {
    const low = Math.min(Math.floor(least / step), 100 / step - 1) * step;
    return [Math.max(0, low), Math.min(100, Math.max(Math.ceil(most / step) * step, low + step))];
  };
  const step = STEPS.find((one) => (ends(one)[1] - ends(one)[0]) / one <= MOST_TICKS) ?? STEPS.at(-1)!;
  const [low, high] = ends(step);
  return { low, high, ticks: Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => low + i * step) };
}

/**
 * A logarithmic axis around some values above 0.
 * @param round values that may be labelled, coarse choices first
 */
export function logAxis(values: readonly number[], round: readonly (readonly number[])[]): Axis {
  const [low, high] = [Math.min(...values) / 1.4, Math.max(...values) * 1.4];
  const ticks = round.map((some) => some.filter((tick) => tick >= low && tick <= high));
  return { low, high, ticks: ticks.find((some) => some.length >= 3) ?? ticks.at(-1)! };
}

const share = (value: number, { low, high }: Axis): string => `${(((value - low) / (high - low)) * 100).toFixed(2)}%`;
const logShare = (value: number, { low, high }: Axis): number => (100 * Math.log(value / low)) / Math.log(high / low);
const tickText = (value: number): string => String(Number(value.toPrecision(3)));

const wordsOf = ({ value, interval, seeds }: PlottedValue): string =>
  [
    value.toFixed(1),
    ...(interval ? [`95 % interval ${interval.map((end) => end.toFixed(1)).join(" to ")}`] : []),
    ...(seeds.length > 1 ? [`by seed ${seeds.map((seed) => seed.toFixed(1)).join(", ")}`] : []),
  ].join("; ");

/** Values of all methods on one axis: a point each, its interval as a whisker, and a stroke for each seed. */
export function dotPlot(
  title: string,
  rows: readonly { readonly method: PlottedMethod; readonly figure: PlottedValue | null }[],
): string {
  const figures = rows.flatMap(({ figure }) => figure ?? []);
  const axis = percentAxis(figures.flatMap(({ value, interval, seeds }) => [value, ...(interval ?? []), ...seeds]));
  const grid = axis.ticks.map(
    (tick) => `<line class="grid" x1="${share(tick, axis)}" x2="${share(tick, axis)}" y1="0" y2="100%"/>`,
  );
  const line = (className: string, from: number, to: number, top: number, bottom: number): string =>
    `<line class="${className}" x1="${share(from, axis)}" x2="${share(to, axis)}" y1="${top}" y2="${bottom}"/>`;
  const marks = ({ value, interval, seeds }: PlottedValue): string => {
    const whisker = interval
      ? [line("whisker", interval[0], interval[1], 12, 12), ...interval.map((end) => line("whisker", end, end, 8, 16))]
      : [];
    const strokes = seeds.length > 1 ? seeds.map((seed) => line("seed", seed, seed, 5, 19)) : [];
    return `${whisker.join("")}${strokes.join("")}<circle cx="${share(value, axis)}" cy="12" r="4.5"/>`;
  };
  const body = rows.map(({ method, figure }) => {
    const words = figure ? wordsOf(figure) : "undefined";
    return `<div class="dot-row ${method.colour}"><span class="dot-name">${escapedText(method.title)}</span><svg role="img" aria-label="${escapedText(`${method.title}, ${title}: ${words}`)}">${grid.join("")}${figure ? marks(figure) : ""}</svg><span class="dot-value">${figure ? figure.value.toFixed(1) : "-"}</span></div>`;
  });
  const labels = axis.ticks.map((tick) => `<span style="left:${share(tick, axis)}">${tickText(tick)}</span>`);
  return `<figure class="dots"><figcaption><b>${escapedText(title)}</b></figcaption>${body.join("")}<div class="dot-row" aria-hidden="true"><span></span><div class="dot-axis">${labels.join("")}</div><span></span></div></figure>`;
}

/** A method's place on a scatter plot. */
export interface ScatterPoint {
  readonly method: PlottedMethod;
  /** Above 0. */
  readonly x: number;
  readonly y: PlottedValue;
}

/** Methods by a cost, on a logarithmic axis, and a metric with its interval; each point is labelled. */
export function scatterPlot(
  title: string,
  note: string,
  points: readonly ScatterPoint[],
  { shown: shownX, round }: Pick<CostColumn, "shown" | "round">,
): string {
  const x = logAxis(
    points.map((point) => point.x),
    round,
  );
  const y = percentAxis(points.flatMap(({ y: { value, interval } }) => [value, ...(interval ?? [])]));
  const across = (value: number): string => `${logShare(value, x).toFixed(2)}%`;
  const down = (value: number): number => HEIGHT * (1 - (value - y.low) / (y.high - y.low));
  const grid = [
    ...x.ticks.map((tick) => `<line class="grid" x1="${across(tick)}" x2="${across(tick)}" y1="0" y2="${HEIGHT}"/>`),
    ...y.ticks.map(
      (tick) => `<line class="grid" x1="0" x2="100%" y1="${down(tick).toFixed(1)}" y2="${down(tick).toFixed(1)}"/>`,
    ),
  ];
  const marks = points.map(({ method, x: at, y: { value, interval } }) => {
    const [left, top] = [across(at), down(value).toFixed(1)];
    const whisker = interval
      ? `<line class="whisker" x1="${left}" x2="${left}" y1="${down(interval[0]).toFixed(1)}" y2="${down(interval[1]).toFixed(1)}"/>`
      : "";
    return `<g class="${method.colour}">${whisker}<circle cx="${left}" cy="${top}" r="5.5"/></g>`;
  });
  const heights = labelHeights(points.map((point) => ({ across: logShare(point.x, x), down: down(point.y.value) })));
  const labels = points.map(({ method, x: at }, i) => {
    const left = logShare(at, x);
    const place = left > 60 ? `right:${(100 - left).toFixed(2)}%` : `left:${left.toFixed(2)}%`;
    return `<span class="point ${method.colour} ${left > 60 ? "before" : "behind"}" style="${place};top:${heights[i]!.toFixed(1)}px">${escapedText(method.title)}</span>`;
  });
  const words = points.map(({ method, x: at, y: figure }) => `${method.title}: ${shownX(at)}, ${wordsOf(figure)}`);
  const ticks = [
    ...x.ticks.map((tick) => `<span class="tick across" style="left:${across(tick)}">${shownX(tick)}</span>`),
    ...y.ticks.map((tick) => `<span class="tick down" style="top:${down(tick).toFixed(1)}px">${tickText(tick)}</span>`),
  ];
  return `<figure class="scatter"><figcaption><b>${escapedText(title)}</b><span>${escapedText(note)}</span></figcaption><div class="plot" role="img" aria-label="${escapedText(`${title}. ${words.join(". ")}`)}"><svg aria-hidden="true">${grid.join("")}${marks.join("")}</svg>${ticks.join("")}${labels.join("")}</div></figure>`;
}

/** Heights of labels beside their points, so that none covers another that is near. */
function labelHeights(points: readonly { readonly across: number; readonly down: number }[]): number[] {
  const heights = points.map(({ down }) => down);
  const order = [...points.keys()].sort((a, b) => points[a]!.down - points[b]!.down);
  const isNear = (a: number, b: number): boolean => Math.abs(points[a]!.across - points[b]!.across) < LABEL_REACH;
  order.forEach((i, nth) => {
    const above = order.slice(0, nth).filter((other) => isNear(i, other));
    heights[i] = Math.max(heights[i]!, ...above.map((other) => heights[other]! + LABEL_HEIGHT));
  });
  // those that were pushed out of the plot push back the ones above them
  order.reverse().forEach((i, nth) => {
    const below = order.slice(0, nth).filter((other) => isNear(i, other));
    heights[i] = Math.min(heights[i]!, HEIGHT, ...below.map((other) => heights[other]! - LABEL_HEIGHT));
  });
  return heights;
}
