import { arrow, picture, type Frame } from "../draw.ts";
import { across, bottomOf, box, key, learned, MARGIN, note, operation, rightOf, topOf, WIDTH } from "../flow.ts";
import { Column } from "./column.ts";

/** Words for a method that learns in closed form, beside the way from photographs to scores. */
interface Selection extends Pick<Frame, "title" | "description"> {
  /** From photographs to features, and the features. */
  readonly assembly: readonly string[];
  readonly features: readonly string[];
  /** All that is learned from, how, and what is kept. */
  readonly seen: readonly string[];
  readonly learning: readonly string[];
  readonly kept: readonly string[];
  /** The measure of a cell. */
  readonly measured: readonly string[];
  /** The score is the largest cell, or the largest value of the map. */
  readonly scoreOf: "cells" | "map";
}

const [MAIN, SIDE] = [212, 318]; // width of the main column, and the left end of the other
const SIDE_WIDTH = WIDTH - MARGIN - SIDE;
const LEARNING = 0.3; // share of the side column's width, at which the arrow of learning stands
const TALL = 172; // gap in the main column beside which the learning stands

/** The data flow of a method that learns in closed form. */
export function selected(selection: Selection): string {
  const { title, description, assembly, features: words, seen, learning, kept, measured, scoreOf } = selection;
  const main = new Column(MARGIN, MAIN, MARGIN);
  main.add(["photographs"]);
  const features = main.add(words, assembly);
  const cells = main.add(["distances d", "[N, H, W]"], measured, { gap: TALL });
  const map = main.add(["map", "[N, S, S]"], ["enlarged, Gaussian"]);

  const gathered = box(SIDE, features.y, SIDE_WIDTH, seen);
  const bank = learned(SIDE, features.y + features.height + TALL - 104, SIDE_WIDTH, kept);
  const score = box(SIDE, map.y, SIDE_WIDTH, ["score", "[N]"]);
  const into = rightOf(cells, 0.3);
  const from = rightOf(cells, 0.75);
  const entry = topOf(score, 0.2);
  return picture({ width: WIDTH, height: main.bottom + 52, title, description }, [
    main.marks,
    gathered.marks,
    bank.marks,
    score.marks,
    across(features, gathered, ["training"]),
    operation([bottomOf(gathered, LEARNING), topOf(bank, LEARNING)], learning),
    arrow([bottomOf(bank), [bottomOf(bank)[0], into[1]], into]),
    scoreOf === "map"
      ? across(map, score, ["largest"])
      : [...arrow([from, [entry[0], from[1]], entry]), ...note([entry[0] + 12, score.y - 10], ["the largest"])],
    key([MARGIN, main.bottom + 34]),
  ]);
}
