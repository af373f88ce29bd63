import { circle, picture, rectangle, SMALL, text, type Mark } from "./draw.ts";
import { note, WIDTH } from "./flow.ts";
import { roomsOf, sourcesBelow } from "../../test/harness/imports.ts";

const [LEFT, TOP, PITCH] = [118, 106, 22]; // of the table, and of its rows and columns
const RADIUS = 5.5;

/** The folders of src, each above those that it imports; those that import equally deep in order of their names. */
function sorted(rooms: ReadonlyMap<string, ReadonlyMap<string, unknown>>): string[] {
  const depths = new Map<string, number>();
  const depthOf = (room: string): number => {
    const known = depths.get(room);
    if (known !== undefined) return known;
    const depth = Math.max(0, ...[...(rooms.get(room)?.keys() ?? [])].map((below) => 1 + depthOf(below)));
    depths.set(room, depth);
    return depth;
  };
  return [...rooms.keys()].sort((a, b) => depthOf(b) - depthOf(a) || (a < b ? -1 : 1));
}

/** A table of the folders of src that says which imports which, from the imports of all files. */
export function layers(): string {
  const rooms = roomsOf(sourcesBelow("src"));
  const order = sorted(rooms);
  const side = PITCH * order.length;
  const bottom = TOP + side;
  const middle = (start: number, nth: number): number => start + (nth + 0.5) * PITCH;
  const marks = order.flatMap((room, row): Mark[] => {
    const y = middle(TOP, row);
    const dots = order.flatMap((other, column) => {
      const kind = rooms.get(room)!.get(other);
      if (!kind) return [];
      const paint = kind === "more" ? ({ fill: "blue" } as const) : ({ stroke: "blue", width: 1.6 } as const);
      return [circle([middle(LEFT, column), y], kind === "more" ? RADIUS : RADIUS - 0.8, paint)];
    });
    return [
      ...(row % 2 === 0 ? [rectangle([10, TOP + row * PITCH], LEFT + side - 10, PITCH, { fill: "map" })] : []),
      rectangle([LEFT + row * PITCH, TOP + row * PITCH], PITCH, PITCH, { fill: "hair" }),
      text([LEFT - 8, y + 5], room, { anchor: "end", size: SMALL, role: room === "shaders" ? "quiet" : "ink" }),
      text([middle(LEFT, row) + 5, TOP - 8], room, {
        upwards: true,
        size: SMALL,
        role: room === "shaders" ? "quiet" : "ink",
      }),
      ...dots,
    ];
  });
  const width = WIDTH;
  return picture(
    {
      width,
      height: bottom + 42,
      title: "Layers: which folder of src imports which",
      description: `A table of the folders ${order.join(", ")}, from the highest layer to the lowest. A dot says that the folder of the row imports the folder of the column. All dots lie above the diagonal: no folder imports one above it.`,
    },
    [
      marks,
      rectangle([LEFT + 8, bottom - 6 * PITCH], 170, 70, { fill: "paper", radius: 6 }),
      note([LEFT + 22, bottom - 5 * PITCH + 2], ["no folder imports", "one above it: this", "half stays empty"]),
      circle([26, bottom + 21], RADIUS, { fill: "blue" }),
      text([40, bottom + 26], "row imports column", { size: SMALL, role: "quiet" }),
      circle([218, bottom + 21], RADIUS - 0.8, { stroke: "blue", width: 1.6 }),
      text([232, bottom + 26], "its errors alone (runtime/errors.ts)", { size: SMALL, role: "quiet" }),
    ],
  );
}
