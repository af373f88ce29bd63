import { RandomStream } from "../../../src/tensor/random.ts";
import { drawnPasses, PASSES } from "../../../src/methods/riad/cells.ts";
import { arrow, picture, rectangle, SMALL, squares, text, type Mark, type Point } from "../draw.ts";
import { box, down, key, MARGIN, note, operation, WIDTH, bottomOf } from "../flow.ts";

const [SIDE, SQUARES] = [108, 6]; // side of a drawn image, and squares along it
const MIDDLES = [MARGIN + 86, WIDTH / 2, WIDTH - MARGIN - 86]; // of the passes
const WIDTHS = [1, 2, 4, 8, 8]; // channels of the network's levels, in those of the finest

/** An image, with the squares hidden that one of the passes hides. */
function hiddenSquares([x, y]: Point, passes: Float32Array, pass: number): Mark[] {
  const side = SIDE / SQUARES;
  const places = [...passes].flatMap((each, i) =>
    each === pass ? [[i % SQUARES, Math.floor(i / SQUARES)] as const] : [],
  );
  return [
    rectangle([x, y], SIDE, SIDE, { fill: "steel" }),
    squares([x, y], side, places, { fill: "bore" }),
    rectangle([x, y], SIDE, SIDE, { stroke: "line" }),
  ];
}

/** The network's levels as bars: fewer pixels and more channels towards the middle. */
function levels([left, middle]: Point, length: number): Mark[] {
  const all = [...WIDTHS, ...WIDTHS.slice(0, -1).reverse()];
  const pitch = length / (all.length - 1);
  return all.map((_, i) => {
    const level = Math.min(i, all.length - 1 - i);
    const [width, height] = [5 + 2.2 * WIDTHS[level]!, 44 - 9 * level];
    return rectangle([left + i * pitch - width / 2, middle - height / 2], width, height, {
      fill: "paper",
      stroke: "learnedLine",
      radius: 2,
    });
  });
}

/** The data flow of RIAD. */
export function riad(): string {
  const passes = drawnPasses(SQUARES * SQUARES, new RandomStream(0, 0, 0));
  const image = box(WIDTH / 2 - 106, MARGIN, 212, ["image x", "[N, H, W, 3], −1 to 1"]);
  const tops = image.y + image.height + 44;
  const unet = { x: MARGIN, y: tops + SIDE + 34, width: WIDTH - 2 * MARGIN, height: 100 };
  const end = unet.y + unet.height;
  const painted = box(WIDTH / 2 - 130, unet.y + unet.height + 62, 260, ["painted y", "[N, H, W, 3]"]);
  const differences = box(painted.x, painted.y + painted.height + 54, 260, ["differences", "[N, H, W]"]);
  const map = box(MARGIN, differences.y + differences.height + 36, 212, ["map", "[N, H, W]"]);
  const score = box(WIDTH - MARGIN - 212, map.y, 212, ["score", "[N]"]);
  const bottom = map.y + map.height;
  const level = image.y + image.height + 20; // where the way parts
  return picture(
    {
      width: WIDTH,
      height: bottom + 52,
      title: "RIAD: the data flow",
      description:
        "There is no backbone. Squares of the image are dealt at random into three sets, and each of three passes hides one set. The same learned U-Net paints what each pass hides; only what was hidden is taken, and makes the painted image. The gradients of image and painted image are compared at four scales. The means over all sizes of squares, smoothed, are the map; its largest value is the score.",
    },
    [
      image.marks,
      MIDDLES.flatMap((middle, pass) => [
        ...arrow(
          pass === 1
            ? [bottomOf(image), [middle, tops]]
            : [
                [WIDTH / 2, level - 8],
                [WIDTH / 2, level],
                [middle, level],
                [middle, tops],
              ],
        ),
        ...hiddenSquares([middle - SIDE / 2, tops], passes, pass),
        ...arrow([
          [middle, tops + SIDE],
          [middle, unet.y],
        ]),
        ...arrow(
          pass === 1
            ? [
                [middle, end],
                [middle, painted.y],
              ]
            : [
                [middle, end],
                [middle, end + 22],
                [WIDTH / 2 + 40 * (pass - 1), end + 22],
                [WIDTH / 2 + 40 * (pass - 1), painted.y],
              ],
        ),
      ]),
      note([MARGIN, MARGIN + 12], ["squares of k × k", `pixels in ${PASSES} sets;`, "dark: hidden"]),
      rectangle([unet.x, unet.y], unet.width, unet.height, {
        fill: "learned",
        stroke: "learnedLine",
        dashed: true,
        radius: 6,
      }),
      text([WIDTH / 2, unet.y + 24], "U-Net, the same for all three", { anchor: "middle", bold: true }),
      levels([WIDTH / 2 - 150, unet.y + 65], 300),
      text([painted.x + painted.width + 12, painted.y + 18], "of each pass,", { size: SMALL, role: "quiet" }),
      text([painted.x + painted.width + 12, painted.y + 36], "what it hid", { size: SMALL, role: "quiet" }),
      painted.marks,
      down(painted, differences, ["gradients of x and y compared", "at four scales, mean over k"]),
      differences.marks,
      operation(
        [
          [differences.x + 30, differences.y + differences.height],
          [differences.x + 30, map.y],
        ],
        ["mean of 21 × 21"],
      ),
      map.marks,
      operation(
        [
          [map.x + map.width, map.y + 26],
          [score.x, map.y + 26],
        ],
        ["largest"],
      ),
      score.marks,
      key([MARGIN, bottom + 34]),
    ],
  );
}
