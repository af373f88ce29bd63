import { picture } from "./draw.ts";
import { across, bottomOf, box, down, key, learned, MARGIN, note, operation, topOf, WIDTH } from "./flow.ts";
import { Column } from "./methods/column.ts";

const [MAIN, SIDE] = [212, 318]; // width of the main column, and the left end of the other
const SIDE_WIDTH = WIDTH - MARGIN - SIDE;
const TALL = 150; // gap in the main column beside which the learning stands

/** The parts of a method, on the way from a photograph to a verdict. */
export function contract(): string {
  const main = new Column(MARGIN, MAIN, MARGIN);
  main.add(["photographs"]);
  const features = main.add(["features", "[N, H, W, C]"], ["a backbone, then the", "method's assembly"]);
  const cells = main.add(["CellScores", "map [N, h, w]"], ["Model.score"], { gap: TALL });
  const map = main.add(["map", "[N, S, S]"], ["the method's scoring"]);

  const fit = learned(SIDE, features.y, SIDE_WIDTH, ["Fit", "steps, state, restore"]);
  const model = learned(SIDE, cells.y, SIDE_WIDTH, ["Model", "config, weights"]);
  const score = box(SIDE, map.y, SIDE_WIDTH, ["score", "[N]"]);
  const verdict = box(SIDE, map.y + map.height + 50, SIDE_WIDTH, ["verdict", "good or defective"]);
  const bottom = verdict.y + verdict.height;
  return picture(
    {
      width: WIDTH,
      height: bottom + 52,
      title: "A method, from photographs to a verdict",
      description:
        "A backbone turns photographs into feature maps, which are joined as the method's assembly says. In training, Method.begin gives a Fit, whose steps learn from the features of good images and end in a Model. In inspection, Model.score turns features into the scores of cells. Of these a map of pixels is made, and of the map a score, as the method's scoring says. Calibration turns the score into a verdict. Fit and Model are the method's own; the rest is the same for all methods.",
    },
    [
      main.marks,
      fit.marks,
      model.marks,
      score.marks,
      verdict.marks,
      across(features, fit, ["training"]),
      note([SIDE, features.y - 30], ["Method.begin,", "from good images:"]),
      operation([bottomOf(fit), topOf(model)], ["learns,", "step by step"], { learned: true }),
      across(model, cells),
      across(map, score),
      down(score, verdict, ["calibration"]),
      key([MARGIN, bottom + 34]),
    ],
  );
}
