import { arrow, path, rounded, type Mark, type Point } from "../draw.ts";
import {
  bottomOf,
  box,
  learned,
  leftOf,
  operation,
  topOf,
  type Box,
  type BoxLook,
  type OperationLook,
} from "../flow.ts";

const [SHORT_GAP, LINE] = [30, 17]; // of an arrow without words, and for each line of them beyond the first

/** Boxes below each other, with an operation from each to the next. */
export class Column {
  readonly marks: Mark[] = [];
  readonly #x: number;
  readonly #width: number;
  #bottom: number;
  #last: Box | null = null;

  constructor(x: number, width: number, top: number) {
    [this.#x, this.#width, this.#bottom] = [x, width, top];
  }

  /** Lower end of the last box. */
  get bottom(): number {
    return this.#bottom;
  }

  /** Adds a box, and an operation to it from the one above, if there is one. */
  add(
    words: readonly string[],
    by: readonly string[] = [],
    look: BoxLook & OperationLook & { readonly gap?: number; readonly isLearnt?: boolean } = {},
  ): Box {
    const { gap = SHORT_GAP + LINE * Math.max(0, by.length - 1) + (by.length > 0 ? 4 : 0), isLearnt = false } = look;
    const before = this.#last;
    const make = isLearnt ? learned : box;
    const made = make(this.#x, this.#bottom + (before ? gap : 0), this.#width, words, look);
    if (before) this.marks.push(...operation([bottomOf(before), topOf(made)], by, look));
    this.marks.push(...made.marks);
    [this.#last, this.#bottom] = [made, made.y + made.height];
    return made;
  }
}

/** Lines from the left of boxes to a common upright one, and from there an arrow to a point on its left. */
export function joinedLeft(from: readonly Box[], to: Point, upright: number): Mark[] {
  const ends = from.map((each) => leftOf(each));
  return [
    ...ends.map((end) => path(rounded([end, [upright, end[1]], [upright, to[1]]]), { stroke: "ink" })),
    ...arrow([[upright, to[1]], to]),
  ];
}

/** An arrow from the left of a box, past those below it, to the left of another. */
export const past = (from: Box, to: Box, x: number, share = 0.5): Mark[] => {
  const [start, end] = [leftOf(from), leftOf(to, share)];
  return arrow([start, [x, start[1]], [x, end[1]], end]);
};
