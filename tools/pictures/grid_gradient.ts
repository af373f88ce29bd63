import { RandomStream } from "../../src/tensor/random.ts";
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
import { MARGIN, note, WIDTH } from "./flow.ts";

const SIDE = 4; // pixels to a side of the image
const PITCH = 50;
const COUNT = 12; // samples
const SEED = 240; // with which samples lie in cells above and below the pixel
const APART = 0.5; // least distance of two samples, pixels
const CLEAR = 0.42; // least distance of a sample from a pixel
const REACH = 0.62; // of samples beyond the outer pixels
const RADIUS = 10.5;
const [COLUMN, ROW] = [2, 1]; // of the pixel whose gradient is shown
const SHOWN = 4; // of the samples, the one whose four pixels are shown

/** A sample's pixel position, as the shader has it. */
interface Sample {
  readonly at: Point;
  readonly name: string;
}

/** Samples at random, none close to another or to a pixel. */
function drawn(): Sample[] {
  const random = new RandomStream(SEED, 0, 0);
  const samples: Sample[] = [];
  const place = (): number => random.unit() * (SIDE - 1 + 2 * REACH) - REACH;
  while (samples.length < COUNT) {
    const at: Point = [place(), place()];
    const fromPixel = Math.hypot(at[0] - Math.round(at[0]), at[1] - Math.round(at[1]));
    if (fromPixel > CLEAR && samples.every((other) => Math.hypot(other.at[0] - at[0], other.at[1] - at[1]) > APART))
      samples.push({ at, name: String(samples.length) });
  }
  return samples;
}

/** The cell of a sample, as `cell_of` of shaders/grid_sample.wgsl counts them: one row and column lie outside the image. */
const cellOf = ({ at: [x, y] }: Sample): number => (Math.floor(y) + 1) * (SIDE + 1) + Math.floor(x) + 1;

/** The cells of a row, above or below the pixel, whose samples it sums: two neighbours. */
const cellsOf = (row: number): readonly [number, number] => {
  const first = row * (SIDE + 1) + COLUMN;
  return [first, first + 1];
};

const tent = (t: number): number => Math.max(0, 1 - Math.abs(t));

/** Pixels as squares, and the cells between them. */
function image([left, top]: Point): Mark[] {
  const ends = [-0.85, SIDE - 0.15];
  const at = (place: number, start: number): number => start + place * PITCH;
  return Array.from({ length: SIDE }, (_, i) => i).flatMap((i): Mark[] => [
    line(
      ends.map((end): Point => [at(i, left), at(end, top)]),
      { stroke: "hair" },
    ),
    line(
      ends.map((end): Point => [at(end, left), at(i, top)]),
      { stroke: "hair" },
    ),
  ]);
}

const pixels = ([left, top]: Point, chosen: (column: number, row: number) => boolean): Mark[] =>
  Array.from({ length: SIDE * SIDE }, (_, i) => [i % SIDE, Math.floor(i / SIDE)] as const).map(([column, row]) => {
    const half = chosen(column, row) ? 9 : 5;
    return rectangle([left + column * PITCH - half, top + row * PITCH - half], 2 * half, 2 * half, {
      fill: chosen(column, row) ? "learnedLine" : "line",
      radius: 2,
    });
  });

/** The gradient of gridSample's input: what is defined as a scatter is computed as a gather. */
export function gridGradient(): string {
  const samples = drawn();
  const [left, right]: [Point, Point] = [
    [66, 104],
    [WIDTH - MARGIN - 46 - (SIDE - 1) * PITCH, 104],
  ];
  const place = ([x, y]: Point, [left, top]: Point): Point => [left + x * PITCH, top + y * PITCH];
  const runs = [cellsOf(ROW), cellsOf(ROW + 1)];
  const runOf = (sample: Sample): number => runs.findIndex((cells) => cells.includes(cellOf(sample)));
  const paints = [
    { fill: "blueSoft", stroke: "blue" },
    { fill: "purpleSoft", stroke: "purple" },
  ] as const;
  const dot = (sample: Sample, at: Point, isPlain: boolean): Mark[] => {
    const run = isPlain ? -1 : runOf(sample);
    return [
      circle(at, RADIUS, run < 0 ? { fill: "paper", stroke: "line" } : paints[run]!),
      ...centred(at, [sample.name], { size: SMALL, role: run < 0 ? "quiet" : "ink" }),
    ];
  };

  const shown = samples[SHOWN]!;
  const [x, y] = shown.at;
  const near = (column: number, row: number): boolean => tent(x - column) * tent(y - row) > 0;
  const spread = Array.from({ length: SIDE * SIDE }, (_, i) => [i % SIDE, Math.floor(i / SIDE)] as const)
    .filter(([column, row]) => near(column, row))
    .flatMap(([column, row]) => {
      const [from, to] = [place(shown.at, left), place([column, row], left)];
      const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
      const towards = (distance: number): Point => [
        from[0] + ((to[0] - from[0]) * distance) / length,
        from[1] + ((to[1] - from[1]) * distance) / length,
      ];
      return arrow([towards(RADIUS + 1), towards(length - 8)], {
        role: "learnedLine",
        width: 1 + 4 * tent(x - column) * tent(y - row),
      });
    });

  const listed = [...samples].sort((a, b) => cellOf(a) - cellOf(b) || Number(a.name) - Number(b.name));
  const top = 380;
  const [slot, start] = [34, MARGIN + 62];
  const slots = listed.flatMap((sample, i): Mark[] => {
    const run = runOf(sample);
    return [
      rectangle([start + i * slot, top], slot, 30, run < 0 ? { fill: "paper", stroke: "line" } : paints[run]!),
      ...centred([start + (i + 0.5) * slot, top + 15], [sample.name], { size: SMALL, role: run < 0 ? "quiet" : "ink" }),
    ];
  });
  const brackets = [0, 1].flatMap((run): Mark[] => {
    const places = listed.flatMap((sample, i) => (runOf(sample) === run ? [i] : []));
    const [first, last] = [start + places[0]! * slot + 2, start + (places.at(-1)! + 1) * slot - 2];
    const middle = (first + last) / 2;
    return [
      line(
        [
          [first, top + 36],
          [first, top + 42],
          [last, top + 42],
          [last, top + 36],
        ],
        { stroke: paints[run]!.stroke },
      ),
      ...centred([middle, top + 56], [run === 0 ? "above" : "below"], {
        size: SMALL,
        role: run === 0 ? "blue" : "purple",
      }),
    ];
  });
  const captions = 474;
  return picture(
    {
      width: WIDTH,
      height: captions + 72,
      title: "The gradient of gridSample's input, by cells",
      description:
        "Left: by definition a sample adds to the four pixels around it, by its distance to each. Right: what is computed. A pixel gathers from the samples in its four cells, two in the row above it and two below. Below: the list of all samples, sorted by cell, in which those of two neighbouring cells lie beside each other; the pixel reads two runs of it, always in the same order.",
    },
    [
      text([MARGIN, 32], "defined: a scatter", { bold: true }),
      text([right[0] - 46, 32], "computed: a gather", { bold: true }),
      image(left),
      pixels(left, near),
      spread,
      dot(shown, place(shown.at, left), true),
      runs.flatMap((cells, run) =>
        cells.map((cell) =>
          squares(
            [right[0] + ((cell % (SIDE + 1)) - 1) * PITCH, right[1] + (Math.floor(cell / (SIDE + 1)) - 1) * PITCH],
            PITCH,
            [[0, 0]],
            { fill: paints[run]!.fill },
          ),
        ),
      ),
      image(right),
      pixels(right, (column, row) => column === COLUMN && row === ROW),
      samples.flatMap((sample) => dot(sample, place(sample.at, right), false)),
      note([MARGIN, 316], ["a sample adds to the four", "pixels around it"]),
      note([right[0] - 46, 316], ["a pixel sums the samples", "in its four cells"]),
      text([MARGIN, top + 20], "list", { bold: true }),
      slots,
      brackets,
      note(
        [MARGIN, captions],
        [
          "rank: the place of each sample in its block and cell",
          "scan: where each cell's samples begin",
          "place: the list, sorted by cell; no atomics",
        ],
      ),
      note([MARGIN, captions + 3 * 1.28 * SMALL], ["gather: one writer for each element, two runs, one order"]),
    ],
  );
}
