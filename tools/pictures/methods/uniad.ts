import { arrow, picture, rectangle, squares, type Mark, type Point } from "../draw.ts";
import { key, learned, leftOf, MARGIN, note, rightOf, WIDTH } from "../flow.ts";
import { Column, past } from "./column.ts";

const [CELLS, HIDDEN] = [14, 7]; // to a side: of an image, and of the window that a cell does not see
const CELL = 9; // side of a drawn cell
const [COLUMN, ROW] = [5, 6]; // of the cell that asks

/** All cells of an image, with those that one of them does not see. */
function hiddenCells([x, y]: Point): Mark[] {
  const reach = (HIDDEN - 1) / 2;
  const all = Array.from({ length: CELLS * CELLS }, (_, i) => [i % CELLS, Math.floor(i / CELLS)] as const);
  const isHidden = ([column, row]: readonly [number, number]): boolean =>
    Math.abs(column - COLUMN) <= reach && Math.abs(row - ROW) <= reach;
  const lattice = Array.from({ length: CELLS - 1 }, (_, i): Mark[] => [
    rectangle([x + CELL * (i + 1) - 0.4, y], 0.8, CELL * CELLS, { fill: "line", opacity: 0.6 }),
    rectangle([x, y + CELL * (i + 1) - 0.4], CELL * CELLS, 0.8, { fill: "line", opacity: 0.6 }),
  ]);
  return [
    rectangle([x, y], CELL * CELLS, CELL * CELLS, { fill: "blueSoft" }),
    squares([x, y], CELL, all.filter(isHidden), { fill: "hair" }),
    ...lattice.flat(),
    squares([x, y], CELL, [[COLUMN, ROW]], { fill: "red" }),
    rectangle([x, y], CELL * CELLS, CELL * CELLS, { stroke: "line" }),
  ];
}

/** The data flow of UniAD. */
export function uniad(): string {
  const [left, width, side] = [64, 212, 336];
  const main = new Column(left, width, MARGIN);
  main.add(["photographs"]);
  const features = main.add(
    ["tokens f", "[N, T, C], T = 14 × 14"],
    ["frozen backbone, each stage", "sampled at 14 × 14 points"],
  );
  main.add(["x", "[N, T, 256]"], ["linear"], { learned: true });
  const encoder = main.add(["encoder", "4 layers of attention"], [], { isLearnt: true });
  main.add(["memory m", "[N, T, 256]"]);
  const decoder = main.add(["decoder", "4 layers, each asks m,", "then the layer before"], [], { isLearnt: true });
  main.add(["reconstruction f′", "[N, T, C]"], ["norm, linear"], { learned: true });
  const cells = main.add(["cells", "[N, T]"], ["|f′ − f|"]);
  main.add(["map", "[N, S, S]"], ["enlarged"]);
  main.add(["score", "[N]"], ["largest mean of 16 × 16 pixels"]);

  const query = learned(side, decoder.y + (decoder.height - 52) / 2, WIDTH - MARGIN - side, [
    "queries q",
    "[T, 256], one a layer",
  ]);
  return picture(
    {
      width: WIDTH,
      height: main.bottom + 52,
      title: "UniAD: the data flow",
      description:
        "A frozen backbone turns photographs into 14 by 14 tokens. A learned linear layer, an encoder of four layers and a decoder of four layers with learned queries reconstruct them; this is the published network. In every attention a cell sees neither itself nor the cells around it, a window of 7 by 7. The distance of a token from its reconstruction is the cell's score. Enlarged, these are the map; its largest window mean is the score.",
    },
    [
      main.marks,
      query.marks,
      arrow([leftOf(query), rightOf(decoder)]),
      past(features, cells, 36),
      hiddenCells([side, encoder.y - 84]),
      note([side, encoder.y - 84 + CELL * CELLS + 20], ["in every attention the red", "cell sees none of the grey"]),
      note([side, cells.y - 14], ["training: noise on f,", "mean of (f′ − f)²"]),
      key([MARGIN, main.bottom + 34]),
    ],
  );
}
