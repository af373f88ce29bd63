import { readChoices } from "../../bench/accuracy/choices.ts";
import { readResults, seenOf, type Result } from "../../bench/accuracy/results.ts";
import type { MetricName } from "../../src/metrics/metrics.ts";
import { circle, line, path, picture, rectangle, short, SIZE, SMALL, text, type Mark, type Point } from "./draw.ts";
import { MARGIN, WIDTH } from "./flow.ts";
import { columns, scaleOf } from "./plot.ts";

/** The measurements. */
export const RESULTS = "bench/results/accuracy.json";

const FIGURES: readonly (readonly [name: MetricName, title: string])[] = [
  ["imageAuroc", "image AUROC, %"],
  ["pixelAp", "pixel AP, %"],
];
const LOOKS = [
  { fill: "blue", offset: -5, isRound: true },
  { fill: "learnedLine", offset: 6, isRound: false },
] as const;
const CHOICES = "bench/accuracy/choices.json";
const LEAST_CAPS = 7; // length of a whisker that has a cap at its end
const [LABELS, BETWEEN, ROW] = [165, 26, 34]; // width of the names, between two plots, and height of a row
const TICKS = 4; // numbers below a plot, at most

/** Mean and standard deviation over seeds, in percent; one value has no deviation. */
interface Figure {
  readonly mean: number;
  readonly std: number | null;
}

function figureOf(results: readonly Result[], name: MetricName): Figure | null {
  const values = results.flatMap(({ metrics }) => metrics[name] ?? []).map((value) => 100 * value);
  if (values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return { mean, std: null };
  return { mean, std: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)) };
}

/** In the order of the file of choices. */
const sorted = (choices: readonly string[], known: readonly string[]): string[] =>
  [...choices].sort((a, b) => known.indexOf(a) - known.indexOf(b));

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Datasets on which the choices differ: where all tell all images apart there is nothing to see. */
const told = (results: readonly Result[]): string[] =>
  unique(results.map(({ dataset }) => dataset)).filter((dataset) =>
    results.some((result) => result.dataset === dataset && result.metrics.imageAuroc !== 1),
  );

/** A mean as a dot or a diamond, with whiskers of one standard deviation. */
function whisker([x, y]: Point, spread: number | null, { fill, isRound }: (typeof LOOKS)[number]): Mark[] {
  const ends = spread === null ? [] : [x - spread, x + spread];
  return [
    ...(ends.length > 0
      ? [
          line(
            [
              [ends[0]!, y],
              [ends[1]!, y],
            ],
            { stroke: fill, width: 2 },
          ),
        ]
      : []),
    ...(spread !== null && spread > LEAST_CAPS ? ends : []).map((end) =>
      line(
        [
          [end, y - 4],
          [end, y + 4],
        ],
        { stroke: fill, width: 2 },
      ),
    ),
    isRound
      ? circle([x, y], 4.5, { fill })
      : path(`M${short(x)} ${short(y - 5.5)}l5.5 5.5l-5.5 5.5l-5.5 -5.5z`, { fill }),
  ];
}

/** A plot of one figure: a row for each choice, in it a mark for each backbone. */
function plot(rows: readonly (readonly (Figure | null)[])[], title: string, [left, top]: Point, width: number): Mark[] {
  const ends = rows.flat().flatMap((figure) => {
    if (!figure) return [];
    const { mean, std } = figure;
    return [mean - (std ?? 0), mean + (std ?? 0)];
  });
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = 0.06 * (high - low);
  const scale = scaleOf(low - room, high + room, left, left + width);
  const whiskers = rows.flatMap((row, i) =>
    row.flatMap((figure, j) => {
      if (!figure) return [];
      const spread = figure.std === null ? null : scale.at(figure.mean + figure.std) - scale.at(figure.mean);
      return whisker([scale.at(figure.mean), top + (i + 0.5) * ROW + LOOKS[j]!.offset], spread, LOOKS[j]!);
    }),
  );
  return [
    text([left, top - 16], title, { size: SMALL }),
    ...columns(scale, top, top + rows.length * ROW, TICKS),
    ...whiskers,
  ];
}

/** The accuracy of each choice over seeds, from the file of results. */
export async function results(): Promise<string> {
  const all = await readResults(RESULTS);
  const known = (await readChoices(CHOICES, null)).map(({ name }) => name);
  const datasets = told(all);
  const backbones = unique(all.map(({ backbone }) => backbone));
  if (backbones.length > LOOKS.length)
    throw new Error(`expected at most ${LOOKS.length} backbones, got ${backbones.join()}`);
  const width = (WIDTH - 2 * MARGIN - LABELS - BETWEEN) / FIGURES.length;
  const marks: Mark[] = [];
  let top = MARGIN + 52; // of the next dataset
  for (const [dataset, seen] of datasets.flatMap((dataset) =>
    unique(all.filter((result) => result.dataset === dataset).map(seenOf)).map((seen) => [dataset, seen] as const),
  )) {
    const own = all.filter((result) => result.dataset === dataset && seenOf(result) === seen);
    const choices = sorted(unique(own.map(({ choice }) => choice)), known);
    const first = top + 46; // of the rows
    marks.push(text([MARGIN, top], dataset, { bold: true }));
    marks.push(text([WIDTH - MARGIN, top], seen, { size: SMALL, role: "quiet", anchor: "end" }));
    choices.forEach((choice, i) => {
      const y = first + i * ROW;
      if (i % 2 === 0) marks.push(rectangle([MARGIN - 8, y], WIDTH - 2 * MARGIN + 16, ROW, { fill: "map", radius: 4 }));
      marks.push(text([MARGIN, y + ROW / 2 + 5], choice, { size: SMALL }));
    });
    FIGURES.forEach(([name, title], nth) => {
      const rows = choices.map((choice) =>
        backbones.map((backbone) =>
          figureOf(
            own.filter((result) => result.choice === choice && result.backbone === backbone),
            name,
          ),
        ),
      );
      marks.push(...plot(rows, title, [MARGIN + LABELS + nth * (width + BETWEEN), first], width));
    });
    top = first + choices.length * ROW + 56;
  }
  const legend = backbones.flatMap((backbone, i): Mark[] => [
    ...whisker([MARGIN + 14 + i * 190, MARGIN + 6], 12, LOOKS[i]!),
    text([MARGIN + 36 + i * 190, MARGIN + 11], backbone, { size: SIZE }),
  ]);
  return picture(
    {
      width: WIDTH,
      height: top - 22,
      title: "Accuracy of each choice, over seeds",
      description: `Image AUROC and pixel AP on ${datasets.join(", ")}, of each choice with ${backbones.join(" and with ")}: means over seeds with whiskers of one standard deviation, without whiskers where there is one seed. The figures are those of ${RESULTS}, and stand in the tables of this page. Datasets on which all choices tell all images apart are left out.`,
    },
    [legend, marks],
  );
}
