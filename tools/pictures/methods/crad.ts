import { picture } from "../draw.ts";
import { key, learned, MARGIN, note, rightOf, WIDTH } from "../flow.ts";
import { Column, joinedLeft, past } from "./column.ts";

/** The data flow of CRAD. */
export function crad(): string {
  const [left, width, side, sideWidth] = [64, 212, 336, WIDTH - MARGIN - 336];
  const main = new Column(left, width, MARGIN);
  main.add(["photographs"]);
  const features = main.add(["features a", "[N, H, W, C]"], ["frozen backbone,", "its stages enlarged and joined"]);
  main.add(["coordinates", "one an image, one a cell"], ["heads: linear, tanh, linear, tanh"], { learned: true });
  const queries = main.add(["queries", "[N, H, W, 2D]"], ["grid sample,", "bilinear"], { side: "left", gap: 62 });
  main.add(["reconstruction r", "[N, H, W, C]"], ["decoder"], { learned: true });
  const cells = main.add(["cells", "[N, H, W]"], ["(1 − s) |r − a|"]);
  main.add(["map", "[N, S, S]"], ["enlarged, mean of 21 × 21 pixels"]);
  main.add(["score", "[N]"], ["largest mean of 32 × 32 pixels"]);

  const globalGrid = learned(side, queries.y - 44, sideWidth, ["global grid", "[1, R′, R′, H W D]"]);
  const localGrid = learned(side, queries.y + 20, sideWidth, ["local grid", "[1, R, R, D]"]);
  return picture(
    {
      width: WIDTH,
      height: main.bottom + 52,
      title: "CRAD: the data flow",
      description:
        "A frozen backbone turns photographs into features. Two learned heads turn features into coordinates, one for the image and one for each cell. At these, a global and a local learned grid are sampled. A learned decoder turns the samples into a reconstruction, which is compared with the features cell by cell. The cells' errors become the map, and its largest window mean the score.",
    },
    [
      main.marks,
      globalGrid.marks,
      localGrid.marks,
      joinedLeft([globalGrid, localGrid], rightOf(queries), 306),
      past(features, cells, 36),
      note([side, cells.y - 66], ["s: how alike a cell and", "its reconstruction are"]),
      note([side, cells.y + 4], ["training: the mean of", "(1 − s)² |r − a|² / C"]),
      key([MARGIN, main.bottom + 34]),
    ],
  );
}
