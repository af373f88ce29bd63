import { arrow, picture, SMALL, text, type Mark } from "../draw.ts";
import { bottomOf, box, down, key, MARGIN, operation, topOf, WIDTH, type Box } from "../flow.ts";
import { Column } from "./column.ts";

const [LANE, BETWEEN] = [166, 11]; // width of a lane, and what lies between two

/** The data flow of GRAD in its default form. */
export function grad(): string {
  const all = WIDTH - 2 * MARGIN;
  const photographs = box(WIDTH / 2 - LANE / 2, MARGIN, LANE, ["photographs"]);
  const features = box(MARGIN, MARGIN + 33 + 50, all, ["features a  [N, H, W, C]"]);
  const middles = [0, 1, 2].map((lane) => MARGIN + lane * (LANE + BETWEEN) + LANE / 2);

  /** A lane's boxes; its first operation comes from the features. */
  const lane = (nth: number, make: (column: Column) => Box, by: string, isLearnt: boolean) => {
    const column = new Column(MARGIN + nth * (LANE + BETWEEN), LANE, features.y + features.height + 34);
    const last = make(column);
    const top = features.y + features.height;
    const marks: Mark[] = [
      ...operation(
        [
          [middles[nth]!, top],
          [middles[nth]!, top + 34],
        ],
        [by],
        { learned: isLearnt },
      ),
      ...column.marks,
    ];
    return { last, marks };
  };
  const branch =
    (name: string, stage: string) =>
    (column: Column): Box => {
      column.add(["coordinates", "[N, H, W, 2], [N, 2]"]);
      column.add([name, "local and global;", stage], ["look up"], { isLearnt: true });
      column.add(["queries", "[N, H, W, 2D]"], ["bilinear"]);
      return column.add(["reconstruction r", "[N, H, W, C]"], ["decoder"], { learned: true });
    };
  const normal = lane(0, branch("normal grid", "good features"), "heads", true);
  const abnormal = lane(1, branch("abnormal grid", "without blocks"), "heads", true);
  const bank = lane(
    2,
    (column) => {
      column.add(["means", "[N, H, W, C]"]);
      column.add(["good cells", "[rows, C];", "a coreset"], ["look up"], { isLearnt: true });
      return column.add(["distance K", "[N, H, W]"], ["nearest"]);
    },
    "of 3 × 3",
    false,
  );

  const compared = box(MARGIN, normal.last.y + normal.last.height + 40, 2 * LANE + BETWEEN, [
    "u and n  [N, H, W]",
    "3 × 3 means of 1 − s and of (1 − s) |r − a|,",
    "geometric means of both grids",
  ]);
  const cells = box(MARGIN, compared.y + compared.height + 30, all, [
    "u^1.5 K and n^0.25 K  [N, H, W]",
    "cells of the map, and of the map whose top counts",
  ]);
  const half = (all - BETWEEN) / 2;
  const map = box(MARGIN, cells.y + cells.height + 50, half, ["map", "[N, S, S]"]);
  const score = box(MARGIN + half + BETWEEN, map.y, half, ["score", "[N]"]);
  const bottom = map.y + map.height;
  const outputs: readonly (readonly [to: Box, share: number, words: readonly string[]])[] = [
    [map, 0.2, ["u^1.5 K: mean of", "11 × 11 pixels"]],
    [score, 0.12, ["n^0.25 K: the same,", "mean of the top 1 %"]],
  ];
  return picture(
    {
      width: WIDTH,
      height: bottom + 52,
      title: "GRAD: the data flow of its default form",
      description:
        "A frozen backbone turns photographs into features, which go three ways. In the normal and in the abnormal branch, learned heads turn them into coordinates, at which that branch's learned grids are sampled; a learned decoder turns the samples into a reconstruction. In the third lane, means of 3 by 3 cells are compared with kept good cells, which gives the distance K. How unlike the reconstructions are to the features weighs K: one product, smoothed, is the map; of another one, smoothed too, the mean of the top 1 % is the score.",
    },
    [
      photographs.marks,
      down(photographs, features, ["frozen backbone,", "its stages joined"]),
      features.marks,
      normal.marks,
      abnormal.marks,
      bank.marks,
      compared.marks,
      ...[normal, abnormal].map(({ last }) => arrow([bottomOf(last), [last.x + LANE / 2, compared.y]])),
      text([(middles[0]! + middles[1]!) / 2, compared.y - 14], "compared with a", {
        size: SMALL,
        role: "quiet",
        anchor: "middle",
      }),
      cells.marks,
      arrow([bottomOf(compared), [bottomOf(compared)[0], cells.y]]),
      arrow([bottomOf(bank.last), [middles[2]!, cells.y]]),
      outputs
        .map(([to, share, words]) => [
          ...to.marks,
          ...operation([[topOf(to, share)[0], cells.y + cells.height], topOf(to, share)], words),
        ])
        .flat(),
      key([MARGIN, bottom + 34]),
    ],
  );
}
