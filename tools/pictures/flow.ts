// The vocabulary of all pictures of a data flow: a box is a feature map with its shape, an arrow an operation, and what
// is dashed is learned.
import { arrow, centred, LEADING, lines, rectangle, SIZE, SMALL, text, type Mark, type Point } from "./draw.ts";
import type { Role, TextRole } from "./palette.ts";
import { widthOf } from "./widths.ts";

/** Width of the pictures. */
export const WIDTH = 560;
/** Between a picture's border and what it shows. */
export const MARGIN = 20;

/** A box on a picture. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly marks: readonly Mark[];
}

/** The look of a box. */
export interface BoxLook {
  readonly fill?: Role;
  readonly stroke?: Role;
  readonly dashed?: boolean;
  readonly role?: TextRole;
  readonly height?: number;
}

const PADDING = 9; // between a box and its text
const LINE = LEADING * SIZE;

/** Height of a box with so many lines. */
export const heightOf = (count: number): number => Math.round(2 * PADDING + count * LINE - 4);

/** A box whose first line names what it holds; the others say more, such as its shape. */
export function box(x: number, y: number, width: number, words: readonly string[], look: BoxLook = {}): Box {
  const { fill = "map", stroke = "line", dashed = false, role = "ink", height = heightOf(words.length) } = look;
  const [name, ...more] = words as [string, ...string[]];
  for (const [i, each] of words.entries()) {
    const needed = widthOf(each, i === 0 ? { size: SIZE, bold: true } : { size: SMALL }) + 8;
    if (needed > width) throw new Error(`a box ${width} wide holds no "${each}": it takes ${Math.ceil(needed)}`);
  }
  const middle = x + width / 2;
  const first = y + height / 2 - ((words.length - 1) * LINE) / 2 + 0.36 * SIZE;
  return {
    x,
    y,
    width,
    height,
    marks: [
      rectangle([x, y], width, height, { fill, stroke, dashed, radius: 6 }),
      text([middle, first], name, { anchor: "middle", bold: true, role }),
      ...more.map((each, i) =>
        text([middle, first + (i + 1) * LINE], each, {
          anchor: "middle",
          size: SMALL,
          role: role === "ink" ? "quiet" : role,
        }),
      ),
    ],
  };
}

/** A box of what is learned. */
export const learned = (x: number, y: number, width: number, words: readonly string[], look: BoxLook = {}): Box =>
  box(x, y, width, words, { fill: "learned", stroke: "learnedLine", dashed: true, ...look });

/** Points on a box's edges, at a share of their lengths. */
export const topOf = ({ x, y, width }: Box, share = 0.5): Point => [x + share * width, y];
export const bottomOf = ({ x, y, width, height }: Box, share = 0.5): Point => [x + share * width, y + height];
export const leftOf = ({ x, y, height }: Box, share = 0.5): Point => [x, y + share * height];
export const rightOf = ({ x, y, width, height }: Box, share = 0.5): Point => [x + width, y + share * height];

/** The look of an operation. */
export interface OperationLook {
  readonly learned?: boolean;
  /** On which side of the arrow its words stand. Default right. */
  readonly side?: "left" | "right";
}

/** An operation: an arrow with words beside it, its middle, or on it where it runs across. */
export function operation(
  points: readonly Point[],
  words: readonly string[] = [],
  { learned = false, side = "right" }: OperationLook = {},
): Mark[] {
  const [from, to] = points.slice(-2) as [Point, Point];
  const role: TextRole = learned ? "learnedLine" : "quiet";
  const middle = (from[1] + to[1]) / 2;
  const isDown = Math.abs(to[1] - from[1]) > Math.abs(to[0] - from[0]);
  const marks = arrow(points, learned ? { role: "learnedLine", dashed: true, width: 1.8 } : {});
  if (words.length === 0) return marks;
  const label = isDown
    ? centred([to[0] + (side === "right" ? 12 : -12), middle - 1], words, {
        size: SMALL,
        role,
        anchor: side === "right" ? "start" : "end",
      })
    : lines([(from[0] + to[0]) / 2, from[1] - 8 - (words.length - 1) * LEADING * SMALL], words, {
        size: SMALL,
        role,
        anchor: "middle",
      });
  return [...marks, ...label];
}

/** An operation from one box down to another below it, straight where their middles are. */
export const down = (from: Box, to: Box, words: readonly string[] = [], look: OperationLook = {}): Mark[] =>
  operation([bottomOf(from), topOf(to)], words, look);

/** An operation from one box to the next one on its right, or its left. */
export const across = (from: Box, to: Box, words: readonly string[] = [], look: OperationLook = {}): Mark[] =>
  operation(from.x < to.x ? [rightOf(from), leftOf(to)] : [leftOf(from), rightOf(to)], words, look);

/** A note in small letters. */
export const note = (at: Point, words: readonly string[], role: TextRole = "quiet"): Mark[] =>
  lines(at, words, { size: SMALL, role });

/** The key of the vocabulary, in one line from a point. */
export function key([x, y]: Point): Mark[] {
  const middle = y - 5;
  return [
    rectangle([x, y - 14], 26, 18, { fill: "map", stroke: "line", radius: 4 }),
    text([x + 34, y], "feature map", { size: SMALL, role: "quiet" }),
    ...arrow([
      [x + 140, middle],
      [x + 172, middle],
    ]),
    text([x + 180, y], "operation", { size: SMALL, role: "quiet" }),
    rectangle([x + 274, y - 14], 26, 18, { fill: "learned", stroke: "learnedLine", dashed: true, radius: 4 }),
    ...arrow(
      [
        [x + 306, middle],
        [x + 338, middle],
      ],
      { role: "learnedLine", dashed: true, width: 1.8 },
    ),
    text([x + 346, y], "learned", { size: SMALL, role: "quiet" }),
  ];
}
