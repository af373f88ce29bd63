// A drilled metal plate with a scratch, as the demo's synthetic pictures show it.
import { circle, path, rectangle, type Mark, type Point } from "./draw.ts";

const HOLES = [0.19, 0.5, 0.81]; // of the plate's side
const SCRATCH = [
  [0.56, 0.3],
  [0.66, 0.36],
  [0.74, 0.33],
] as const;

/** Distance from a place to the scratch, all in parts of the plate's side. */
export function fromScratch(x: number, y: number): number {
  const distances = SCRATCH.slice(1).map(([x2, y2], i) => {
    const [x1, y1] = SCRATCH[i]!;
    const [dx, dy] = [x2 - x1, y2 - y1];
    const along = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)));
    return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
  });
  return Math.min(...distances);
}

/** The plate from its upper left corner. */
export function plate([left, top]: Point, side: number): Mark[] {
  const at = (x: number, y: number): Point => [left + x * side, top + y * side];
  const holes = HOLES.flatMap((y) =>
    HOLES.flatMap((x) => [
      circle(at(x, y), 0.085 * side, { fill: "gleam" }),
      circle(at(x - 0.012, y - 0.012), 0.08 * side, { fill: "shade" }),
      circle(at(x, y), 0.064 * side, { fill: "bore" }),
    ]),
  );
  const [a, b, c] = SCRATCH.map(([x, y]) => at(x, y).join(" "));
  return [
    rectangle([left, top], side, side, { fill: "steel", radius: 6 }),
    ...holes,
    path(`M${a}Q${b} ${c}`, { stroke: "bore", width: 0.034 * side }),
    path(`M${a}Q${b} ${c}`, { stroke: "gleam", width: 0.016 * side }),
  ];
}
