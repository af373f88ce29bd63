import { arrow, picture } from "../draw.ts";
import { across, bottomOf, box, key, MARGIN, note, operation, rightOf, topOf, WIDTH } from "../flow.ts";
import { Column } from "./column.ts";

const [MAIN, SIDE] = [212, 318]; // width of the main column, and the left end of the other
const SIDE_WIDTH = WIDTH - MARGIN - SIDE;

/** The data flow of SimpleNet. */
export function simplenet(): string {
  const main = new Column(MARGIN, MAIN, MARGIN);
  main.add(["photographs"]);
  main.add(["features f", "[N, H, W, C]"], ["frozen backbone, 3 × 3 means,", "stages joined, standardised"]);
  const adapted = main.add(["adapted q", "[N, H, W, C]"], ["adaptor: linear"], { learned: true });
  const scores = main.add(["scores s", "[N, H, W]"], ["discriminator:", "linear, norm,", "leaky ReLU, linear"], {
    learned: true,
  });
  const cells = main.add(["cells", "[N, H, W]"], ["max(0, s − floor)"]);
  const map = main.add(["map", "[N, S, S]"], ["enlarged, Gaussian"]);

  const noisy = box(SIDE, adapted.y, SIDE_WIDTH, ["noisy copy", "[N, H, W, C]"]);
  const noisyScores = box(SIDE, scores.y, SIDE_WIDTH, ["its scores", "[N, H, W]"]);
  const score = box(SIDE, map.y, SIDE_WIDTH, ["score", "[N]"]);
  const entry = topOf(score, 0.2);
  return picture(
    {
      width: WIDTH,
      height: main.bottom + 52,
      title: "SimpleNet: the data flow",
      description:
        "A frozen backbone turns photographs into features. A learned linear adaptor adapts them. A learned discriminator of two layers gives each cell a score. In training, normal noise is added to the adapted features, and the discriminator learns to score these copies above the margin and the good ones below its negative. In scoring, scores above a floor, enlarged and smoothed, are the map; the largest cell is the score.",
    },
    [
      main.marks,
      noisy.marks,
      noisyScores.marks,
      score.marks,
      across(adapted, noisy, ["+ noise"]),
      operation([bottomOf(noisy), topOf(noisyScores)], ["the same"], { learned: true }),
      note([SIDE, adapted.y - 12], ["in training:"]),
      note(
        [SIDE, noisyScores.y + noisyScores.height + 20],
        ["noisy cells: above the margin,", "good ones: below its negative"],
      ),
      arrow([rightOf(cells), [entry[0], rightOf(cells)[1]], entry]),
      note([entry[0] + 12, score.y - 12], ["the largest"]),
      key([MARGIN, main.bottom + 34]),
    ],
  );
}
