import { readFile } from "node:fs/promises";
import { circle, line, path, picture, short, SMALL, text, type Mark, type Point } from "./draw.ts";
import { MARGIN, WIDTH } from "./flow.ts";
import type { Role, TextRole } from "./palette.ts";
import { scaleOf, ticksOf, type Scale } from "./plot.ts";

/** The measurements. */
export const WORK = "bench/results/decoder_work.json";

const FIGURES = [
  ["image", "image AUROC, %"],
  ["pixel", "pixel AP, %"],
] as const;
type FigureName = (typeof FIGURES)[number][0];
type Figures = Readonly<Record<FigureName, number>>;

/** Maps that are compared: one without a decoder, one of the normal grid alone, and one of both grids. */
const MAPS = ["nearest", "normal", "both"] as const;
type MapName = (typeof MAPS)[number];

/** One decoder on one dataset. */
interface Measurement extends Readonly<Record<MapName, Figures>> {
  readonly decoder: string;
  readonly set: string;
  readonly millionMultiplyAdds: number;
}

/** Measurements with one backbone. */
interface Measured {
  readonly backbone: string;
  readonly rows: readonly Measurement[];
}

interface WorkData {
  /** Names of the decoders that are presets. */
  readonly presets: Readonly<Record<string, string>>;
  readonly backbones: readonly Measured[];
}

const LOOKS: Readonly<Record<MapName, { readonly role: Role & TextRole; readonly words: string }>> = {
  nearest: { role: "ink", words: "nearest good cells, no decoder" },
  normal: { role: "learnedLine", words: "normal grid" },
  both: { role: "blue", words: "both grids and the nearest good cells" },
};
const [TOP, HEIGHT, BELOW, BETWEEN] = [110, 150, 74, 44]; // of a plot; between two
const [LEFT, TICKS] = [34, 4]; // width of the numbers beside a plot; at most so many
const WORK_TICKS = [1, 3, 10, 30, 100, 300];

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means over the datasets that all decoders were measured on. */
function meansOf({ rows }: Measured): readonly { decoder: string; work: number; figures: Record<MapName, Figures> }[] {
  const decoders = [...new Set(rows.map(({ decoder }) => decoder))];
  const means = decoders.map((decoder) => {
    const own = rows.filter((row) => row.decoder === decoder);
    const of = (map: MapName): Figures =>
      Object.fromEntries(FIGURES.map(([name]) => [name, mean(own.map((row) => row[map][name]))])) as Figures;
    const figures = { nearest: of("nearest"), normal: of("normal"), both: of("both") };
    return { decoder, work: own[0]!.millionMultiplyAdds, figures };
  });
  return means.sort((a, b) => a.work - b.work);
}

/** One figure against the work of an image, for one backbone. */
function plot(
  measured: Measured,
  presets: WorkData["presets"],
  figure: FigureName,
  [left, top]: Point,
  width: number,
): Mark[] {
  const means = meansOf(measured);
  const values = means.flatMap(({ figures }) => MAPS.map((map) => figures[map][figure]));
  const room = 0.08 * (Math.max(...values) - Math.min(...values));
  const works = means.map(({ work }) => Math.log(work));
  const x = scaleOf(Math.min(...works), Math.max(...works), left + LEFT + 10, left + width - 10);
  const y = scaleOf(Math.min(...values) - room, Math.max(...values) + room, top + HEIGHT, top);
  const drawn = MAPS.flatMap((map): Mark[] => {
    const points = means.map(({ work, figures }): Point => [x.at(Math.log(work)), y.at(figures[map][figure])]);
    const { role } = LOOKS[map];
    return [
      line(points, { stroke: role, width: 2, dashed: map === "nearest" }),
      ...(map === "nearest" ? [] : points.map((point) => circle(point, 3.5, { fill: role }))),
    ];
  });
  return [...grid(y, left + LEFT, left + width), ...workTicks(x, top + HEIGHT), ...drawn, ...marks()];

  /** The presets, where they lie. */
  function marks(): Mark[] {
    return means.flatMap(({ decoder, work }): Mark[] => {
      const name = presets[decoder];
      if (!name) return [];
      const at = x.at(Math.log(work));
      return [
        path(`M${short(at)} ${short(top)}v${HEIGHT}`, { stroke: "line", width: 1, dashed: true }),
        text([at, top - 6], name, { size: SMALL, anchor: at > left + width - LEFT ? "end" : "middle", bold: true }),
      ];
    });
  }
}

const grid = ({ low, high, at }: Scale, left: number, right: number): Mark[] =>
  ticksOf(low, high, TICKS).flatMap((value) => [
    line(
      [
        [left, at(value)],
        [right, at(value)],
      ],
      { stroke: "hair", width: 1 },
    ),
    text([left - 8, at(value) + 5], String(value), { anchor: "end", size: SMALL, role: "quiet" }),
  ]);

const workTicks = ({ low, high, at }: Scale, bottom: number): Mark[] =>
  WORK_TICKS.filter((work) => Math.log(work) >= low && Math.log(work) <= high).map((work) =>
    text([at(Math.log(work)), bottom + 20], String(work), { anchor: "middle", size: SMALL, role: "quiet" }),
  );

/** The work of a decoder against what it finds, as means over datasets. */
export async function work(): Promise<string> {
  const { presets, backbones } = JSON.parse(await readFile(WORK, "utf8")) as WorkData;
  const width = (WIDTH - 2 * MARGIN - BETWEEN / 2) / FIGURES.length;
  const legend = MAPS.map((map, i): Mark[] => {
    const y = MARGIN + 8 + 22 * i;
    const { role, words } = LOOKS[map];
    return [
      line(
        [
          [MARGIN, y],
          [MARGIN + 26, y],
        ],
        { stroke: role, width: 2, dashed: map === "nearest" },
      ),
      text([MARGIN + 36, y + 5], words, { size: SMALL }),
    ];
  });
  const plots = backbones.map((measured, i) => {
    const top = TOP + 44 + i * (HEIGHT + BELOW + 44);
    return [
      text([MARGIN, top - 44], measured.backbone, { bold: true }),
      ...FIGURES.map(([name, title], nth) => {
        const left = MARGIN + nth * (width + BETWEEN / 2);
        return [
          text([left + LEFT, top - 24], title, { size: SMALL }),
          plot(measured, presets, name, [left, top], width),
        ];
      }),
      text([WIDTH / 2, top + HEIGHT + 42], "million multiply-adds of a decoder, for one image", {
        anchor: "middle",
        size: SMALL,
        role: "quiet",
      }),
    ];
  });
  const sets = [...new Set(backbones.flatMap(({ rows }) => rows.map(({ set }) => set)))];
  return picture(
    {
      width: WIDTH,
      height: TOP + backbones.length * (HEIGHT + BELOW + 44) - 10,
      title: "Work of the decoder and accuracy",
      description: `Image AUROC and pixel AP against the multiply-adds of a decoder for one image, with ${backbones.map(({ backbone }) => backbone).join(" and with ")}, as means over ${sets.join(", ")}: of the nearest good cells, which need no decoder, of the normal grid, and of both grids with the nearest good cells. The presets ${Object.values(presets).join(" and ")} are marked. The figures are those of ${WORK}.`,
    },
    [legend, plots],
  );
}
