import {
  arrow,
  centred,
  circle,
  line,
  picture,
  rectangle,
  SMALL,
  squares,
  text,
  type Mark,
  type Point,
} from "./draw.ts";
import { MARGIN, operation, WIDTH } from "./flow.ts";
import { fromScratch, plate } from "./plate.ts";

const SIDE = 112; // of the photograph, and of what is as large
const [LANE, BETWEEN] = [166, 11]; // width of a lane, and what lies between two
const [LANES, LANE_HEIGHT] = [190, 138]; // upper end of the lanes
const LANE_WORDS = [
  ["normal grid", "how unlike?"],
  ["abnormal grid", "how unlike?"],
  ["good cells", "how far?"],
] as const;
const ICON = 56;
const LAST = 380; // upper end of the last row
const CELLS = 14; // to a side, as they are drawn

const middleOf = (lane: number): number => MARGIN + lane * (LANE + BETWEEN) + LANE / 2;

/** Feature maps, one behind the other. */
function stack([left, top]: Point, side: number): Mark[] {
  return [3, 2, 1, 0].flatMap((behind) => {
    const [x, y] = [left + 8 * behind, top + 8 * (3 - behind)];
    const lattice = Array.from({ length: 6 }, (_, i) => ((i + 1) * side) / 7);
    return [
      rectangle([x, y], side, side, { fill: "map", stroke: "line", radius: 3 }),
      ...(behind > 0
        ? []
        : lattice.flatMap((at) => [
            line(
              [
                [x + at, y],
                [x + at, y + side],
              ],
              { stroke: "line", width: 0.7 },
            ),
            line(
              [
                [x, y + at],
                [x + side, y + at],
              ],
              { stroke: "line", width: 0.7 },
            ),
          ])),
    ];
  });
}

/** A grid whose points are mixed at a place between four of them. */
function grid([left, top]: Point, found: Point): Mark[] {
  const pitch = ICON / 4;
  const places = Array.from({ length: 25 }, (_, i): Point => [left + (i % 5) * pitch, top + Math.floor(i / 5) * pitch]);
  const at: Point = [left + found[0] * pitch, top + found[1] * pitch];
  const isNear = ([x, y]: Point): boolean => Math.abs(x - at[0]) < pitch && Math.abs(y - at[1]) < pitch;
  return [
    ...places.filter(isNear).map((place) => line([place, at], { stroke: "learnedLine", width: 1.4 })),
    ...places.map((place) =>
      circle(place, isNear(place) ? 3.4 : 2.4, { fill: isNear(place) ? "learnedLine" : "line" }),
    ),
    circle(at, 4.2, { fill: "paper", stroke: "ink" }),
  ];
}

/** Good cells as points, and a new one with its distance to the nearest. */
function nearest([left, top]: Point): Mark[] {
  const good: readonly Point[] = [
    [6, 12],
    [18, 4],
    [24, 20],
    [8, 30],
    [20, 38],
    [34, 8],
    [12, 50],
    [30, 30],
  ];
  const fresh: Point = [left + 54, top + 46];
  const near: Point = [left + 30, top + 30];
  return [
    line([near, fresh], { stroke: "learnedLine", width: 1.6 }),
    ...good.map(([x, y]) => circle([left + x, top + y], 3, { fill: "learnedLine" })),
    circle(fresh, 4.2, { fill: "paper", stroke: "ink" }),
  ];
}

/** The scores of cells around the scratch, as squares of three strengths. */
function heat([left, top]: Point): Mark[] {
  const strengthOf = (i: number): number => {
    const [x, y] = [((i % CELLS) + 0.5) / CELLS, (Math.floor(i / CELLS) + 0.5) / CELLS];
    return Math.max(0, 3 - Math.floor(fromScratch(x, y) / 0.055));
  };
  const all = Array.from({ length: CELLS * CELLS }, (_, i) => i);
  return [1, 2, 3].map((strength) =>
    squares(
      [left, top],
      SIDE / CELLS,
      all.filter((i) => strengthOf(i) === strength).map((i) => [i % CELLS, Math.floor(i / CELLS)] as const),
      { fill: "heat", opacity: strength / 3 },
    ),
  );
}

/** The same on the photograph, smooth. */
const glow = ([left, top]: Point): Mark[] =>
  [0.15, 0.1, 0.055].map((radius) => {
    const rim = Array.from({ length: 40 }, (_, i): Point => {
      const angle = (i * Math.PI) / 20;
      let distance = 0;
      while (fromScratch(0.655 + distance * Math.cos(angle), 0.34 + distance * Math.sin(angle)) < radius)
        distance += 0.004;
      return [left + SIDE * (0.655 + distance * Math.cos(angle)), top + SIDE * (0.34 + distance * Math.sin(angle))];
    });
    return line([...rim, rim[0]!], { fill: "heat", opacity: 0.34 });
  });

/** From a photograph to a verdict, by GRAD's two grids. */
export function pipeline(): string {
  const [left, middle, right] = [0, 1, 2].map(middleOf) as [number, number, number];
  const [photograph, sheet]: [Point, number] = [[left - SIDE / 2, MARGIN], SIDE - 24];
  const features: Point = [middle - SIDE / 2, MARGIN];
  const parting = LANES - 26;
  const look = { fill: "learned", stroke: "learnedLine", dashed: true, radius: 6 } as const;
  const lanes = LANE_WORDS.map(([name, question], i) => [
    rectangle([MARGIN + i * (LANE + BETWEEN), LANES], LANE, LANE_HEIGHT, look),
    text([middleOf(i), LANES + 23], name, { anchor: "middle", bold: true }),
    text([middleOf(i), LANES + 126], question, { anchor: "middle", size: SMALL, role: "quiet" }),
  ]);
  const icon = (lane: number): Point => [middleOf(lane) - ICON / 2, LANES + 42];
  const ending = LANES + LANE_HEIGHT;
  const joining = ending + 22;
  const cells: Point = [left - SIDE / 2, LAST];
  const map: Point = [middle - SIDE / 2, LAST];
  const gauge = { left: right - 74, right: right + 74, level: LAST + 46 };
  const between = LAST + SIDE / 2;
  const caption = (at: number, words: string): Mark[] => centred([at, LAST + SIDE + 18], [words], { size: SMALL });
  return picture(
    {
      width: WIDTH,
      height: LAST + SIDE + 40,
      title: "From a photograph to a verdict",
      description:
        "A frozen backbone turns a photograph of a scratched plate into features. They go three ways: to GRAD's normal grid and to its abnormal grid, each of which says how unlike the features are to what it has learned, and to kept good cells, which say how far the nearest is. The answers are multiplied to a score for each cell. Smoothed, these are the map on the photograph; the mean of the top 1 % of such a map is the score, which lies above the threshold: defective.",
    },
    [
      plate(photograph, SIDE),
      operation(
        [
          [left + SIDE / 2 + 8, between - LAST + MARGIN],
          [features[0] - 6, between - LAST + MARGIN],
        ],
        ["frozen", "network"],
      ),
      stack(features, sheet),
      text([features[0] + SIDE + 18, MARGIN + 40], "features", { bold: true }),
      text([features[0] + SIDE + 18, MARGIN + 60], "of 28 × 28 cells", { size: SMALL, role: "quiet" }),
      [left, right].map((lane) =>
        arrow([
          [middle, parting - 8],
          [middle, parting],
          [lane, parting],
          [lane, LANES],
        ]),
      ),
      arrow([
        [middle, MARGIN + SIDE],
        [middle, LANES],
      ]),
      lanes,
      grid(icon(0), [2.4, 1.6]),
      grid(icon(1), [0.6, 2.7]),
      nearest(icon(2)),
      line(
        [
          [left, joining],
          [right, joining],
        ],
        { stroke: "ink" },
      ),
      line(
        [
          [middle, ending],
          [middle, joining],
        ],
        { stroke: "ink" },
      ),
      [left, right].map((lane) =>
        arrow([
          [lane, ending],
          [lane, LAST],
        ]),
      ),
      text([middle, joining + 19], "multiplied", { anchor: "middle", size: SMALL, role: "quiet" }),
      rectangle(cells, SIDE, SIDE, { fill: "map" }),
      heat(cells),
      rectangle(cells, SIDE, SIDE, { stroke: "line" }),
      caption(left, "scores of cells"),
      operation(
        [
          [left + SIDE / 2 + 6, between],
          [map[0] - 6, between],
        ],
        ["smooth"],
      ),
      plate(map, SIDE),
      glow(map),
      caption(middle, "map"),
      text([right + 12, joining + 24], "top 1 %", { size: SMALL, role: "quiet" }),
      text([right, LAST + 20], "score", { anchor: "middle", bold: true }),
      rectangle([gauge.left, gauge.level - 6], right - gauge.left, 12, { fill: "greenSoft", stroke: "green" }),
      rectangle([right, gauge.level - 6], gauge.right - right, 12, { fill: "redSoft", stroke: "red" }),
      line(
        [
          [right, gauge.level - 14],
          [right, gauge.level + 14],
        ],
        { stroke: "ink", width: 2 },
      ),
      circle([gauge.right - 24, gauge.level], 8, { fill: "red", stroke: "paper", width: 2 }),
      text([right, gauge.level + 32], "threshold", { anchor: "middle", size: SMALL, role: "quiet" }),
      text([right, LAST + SIDE - 4], "defective", { anchor: "middle", bold: true, role: "red" }),
    ],
  );
}
