import { arrow, centred, picture, rectangle, SMALL, text, type Mark } from "../draw.ts";
import { box, bottomOf, key, leftOf, MARGIN, note, operation, rightOf, WIDTH } from "../flow.ts";
import { Column } from "./column.ts";

// name, channels, and height of the bar that stands for them
const LAYERS = [
  ["x", "C", 150],
  ["", "(C + 2d) / 2", 112],
  ["", "2d", 74],
  ["", "d", 40],
  ["", "2d", 74],
  ["", "(C + 2d) / 2", 112],
  ["x′", "C", 150],
] as const;
const [BAR, FIRST] = [26, 65]; // width of a bar, and the middle of the first
const PITCH = (WIDTH - 2 * FIRST) / (LAYERS.length - 1);
const [MIDDLE, LAST] = [3, 6]; // of the layers

const middleOf = (layer: number): number => FIRST + layer * PITCH;

/** The autoencoder, as bars about a level. */
function autoencoder(level: number): Mark[] {
  const bars = LAYERS.flatMap(([name, channels, height], i) => [
    rectangle([middleOf(i) - BAR / 2, level - height / 2], BAR, height, { fill: "map", stroke: "line", radius: 4 }),
    ...(name ? [text([middleOf(i), level + 5], name, { anchor: "middle", bold: true })] : []),
    text([middleOf(i), level + 96], channels, { anchor: "middle", size: SMALL, role: "quiet" }),
  ]);
  const convolutions = LAYERS.slice(1).map((_, i) =>
    arrow(
      [
        [middleOf(i) + BAR / 2 + 3, level],
        [middleOf(i + 1) - BAR / 2 - 2, level],
      ],
      { role: "learnedLine", dashed: true, width: 1.8 },
    ),
  );
  const words = [
    text([middleOf(MIDDLE), level - 70], "autoencoder", { anchor: "middle", bold: true, role: "learnedLine" }),
    text([middleOf(MIDDLE), level - 51], "1 × 1 convolutions", { anchor: "middle", size: SMALL, role: "quiet" }),
  ];
  return [...bars, ...convolutions.flat(), ...words];
}

/** The data flow of DFR. */
export function dfr(): string {
  const [width, wide] = [212, 220];
  const main = new Column(MARGIN, width, MARGIN);
  main.add(["photographs"]);
  const features = main.add(
    ["features x", "[N, H, W, C]"],
    ["frozen backbone, stages enlarged", "and joined, standardised"],
  );
  const level = main.bottom + 110;
  const errors = box((WIDTH - wide) / 2, level + 142, wide, ["errors s", "[N, H, W]"]);
  const map = box(MARGIN, errors.y + errors.height + 46, width, ["map", "[N, S, S]"]);
  const score = box(WIDTH - MARGIN - width, map.y, width, ["score", "[N]"]);
  const below = level + 106; // lower end of the layers' names
  const bottom = map.y + map.height;
  return picture(
    {
      width: WIDTH,
      height: bottom + 52,
      title: "DFR: the data flow",
      description:
        "A frozen backbone turns photographs into features x of C channels. A learned autoencoder of one by one convolutions narrows them over (C + 2d) / 2 and 2d to d channels and widens them again to x prime. The mean over channels of their squared difference is a cell's error. Errors, enlarged, are the map; its largest value is the score.",
    },
    [
      main.marks,
      note(
        [MARGIN + width + 40, features.y + 22],
        ["training: components that hold", "90 % of the variance give d,", "then Adam on the mean of s"],
      ),
      arrow([bottomOf(features, (FIRST - MARGIN) / width), [FIRST, level - 79]]),
      autoencoder(level),
      arrow([[FIRST, below], [FIRST, leftOf(errors)[1]], leftOf(errors)]),
      arrow([[middleOf(LAST), below], [middleOf(LAST), rightOf(errors)[1]], rightOf(errors)]),
      centred([WIDTH / 2, errors.y - 15], ["mean of (x − x′)² over channels"], { size: SMALL, role: "quiet" }),
      errors.marks,
      operation(
        [
          [errors.x + 24, errors.y + errors.height],
          [errors.x + 24, map.y],
        ],
        ["enlarged"],
      ),
      map.marks,
      operation([rightOf(map), leftOf(score)], ["largest"]),
      score.marks,
      key([MARGIN, bottom + 34]),
    ],
  );
}
