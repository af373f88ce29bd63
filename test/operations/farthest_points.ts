import { farthestPoints } from "../../src/ops/farthest_points.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/farthest_points.ts";

/** On integers, where f32 is exact, with many equal distances. */
export const farthestPointsOperation: Operation<reference.Farthest> = {
  name: "farthestPoints",
  problems: [
    ["the start alone", { rows: 3, channels: 2, count: 1, start: 2 }],
    ["all rows of one element, among them equal ones", { rows: 12, channels: 1, count: 12, start: 0 }],
    ["rows that pack, in several blocks", { rows: 600, channels: 12, count: 9, start: 599 }],
    ["rows that do not pack", { rows: 70, channels: 7, count: 33, start: 5 }],
    ["rows longer than the lanes of a row", { rows: 40, channels: 68, count: 8, start: 0 }],
  ],
  draw: (draws) => {
    const rows = draws.pick([1, 2, 3, 20, 64, 255, 256, 257, 600]);
    return {
      rows,
      channels: draws.pick([1, 1, 1, 2, 3, 4, 5, 8, 12, 33, 40]), // rows of one element are soon equal to chosen ones
      count: draws.whole(1, Math.min(rows, 20)),
      start: draws.whole(0, rows - 1),
    };
  },
  shapes: ({ rows, channels }) => [[rows, channels]],
  run: ({ count, start }, [rows]) => farthestPoints(rows!, count, { start }),
  forward: (p, [rows]) => reference.farthestPoints(p, rows!),
  backward: null,
  value: (random) => Math.floor(9 * random()) - 4,
  slack: () => 0,
};
