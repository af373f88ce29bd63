import { PictureRegion } from "../../src/detection/region.ts";
import { lines, picture, rectangle, SMALL, squares, type Mark, type Point } from "./draw.ts";
import { MARGIN, WIDTH } from "./flow.ts";
import type { Role } from "./palette.ts";

const [SIDE, PIXEL] = [28, 4]; // pixels along the photograph, and their size as they are drawn
const MAP = 14; // pixels along the map
const SHADES: readonly Role[] = ["bore", "shade", "steel", "gleam"];
const LABEL = { left: 11, top: 14, right: 28, bottom: 24 }; // what is to be ignored

const isLabel = (x: number, y: number): boolean =>
  x >= LABEL.left && x < LABEL.right && y >= LABEL.top && y < LABEL.bottom;

/** The photograph's shades: brushed metal, a scratch, and a label with lines of print. */
function shadeAt(x: number, y: number): number {
  if (isLabel(x, y)) {
    const isPrint = (y - LABEL.top) % 3 === 2 && x >= LABEL.left + 2 && x < LABEL.right - 2 - ((7 * y) % 5);
    return isPrint ? 0 : 3;
  }
  if (Math.abs(x - 5 - 0.9 * (y - 4)) < 0.8 && y >= 4 && y <= 10) return 0;
  return (x + 2 * y) % 7 < 3 ? 1 : 2;
}

/** A square picture of few shades. */
const drawn = (at: Point, side: number, pixel: number, shades: ArrayLike<number>, roles: readonly Role[]): Mark[] =>
  roles.map((fill, shade) =>
    squares(
      at,
      pixel,
      Array.from(shades).flatMap((each, i) => (each === shade ? [[i % side, Math.floor(i / side)] as const] : [])),
      { fill },
    ),
  );

/** A region of interest: the photograph, the mask, what a model sees, and which pixels of the map count. */
export function region(): string {
  const shades = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => shadeAt(i % SIDE, Math.floor(i / SIDE)));
  const counted = Uint8Array.from(shades, (_, i) => Number(!isLabel(i % SIDE, Math.floor(i / SIDE))));
  const part = new PictureRegion(counted, { width: SIDE, height: SIDE });
  const rgba = Uint8Array.from({ length: 4 * SIDE * SIDE }, (_, i) => shades[i >> 2]!);
  const seen = part.shown({ width: SIDE, height: SIDE, data: rgba }).data.filter((_, i) => i % 4 === 0);
  const whole = { left: 0, top: 0, width: SIDE, height: SIDE };
  const inMap = part.inMap(
    { source: whole, target: { left: 0, top: 0, width: MAP, height: MAP } },
    { width: MAP, height: MAP },
  );

  const side = SIDE * PIXEL;
  const pitch = (WIDTH - 2 * MARGIN - side) / 3;
  const at = (nth: number): Point => [MARGIN + nth * pitch, MARGIN];
  const captions = [
    ["photograph"],
    ["--ignore", "label.png"],
    ["what the model", "sees: mirrored"],
    ["pixels of the", "map that count"],
  ];
  return picture(
    {
      width: WIDTH,
      height: MARGIN + side + 58,
      title: "A region of interest",
      description:
        "Four pictures. A photograph of brushed metal with a scratch and a printed label. A mask that is white where the label is. What the model sees: the label is replaced by mirror images of the metal around it. And the map, in which only the pixels outside the label count.",
    },
    [
      drawn(at(0), SIDE, PIXEL, shades, SHADES),
      drawn(at(1), SIDE, PIXEL, counted, ["gleam", "bore"]),
      drawn(at(2), SIDE, PIXEL, seen, SHADES),
      drawn(at(3), MAP, side / MAP, inMap, ["paper", "blueSoft"]),
      [1, 3].map((nth) => rectangle(at(nth), side, side, { stroke: "line" })),
      Array.from({ length: MAP - 1 }, (_, i) => {
        const [left, top] = at(3);
        const offset = ((i + 1) * side) / MAP;
        return [
          rectangle([left + offset - 0.3, top], 0.6, side, { fill: "line" }),
          rectangle([left, top + offset - 0.3], side, 0.6, { fill: "line" }),
        ];
      }).flat(),
      captions.map((words, nth) =>
        lines([at(nth)[0] + side / 2, MARGIN + side + 20], words, {
          anchor: "middle",
          size: SMALL,
          monospace: nth === 1,
        }),
      ),
    ],
  );
}
