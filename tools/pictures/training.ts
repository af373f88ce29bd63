import { planFits, type PlannedFit, type TrainingSample } from "../../src/detection/folds.ts";
import { resolveTraining } from "../../src/detection/training_options.ts";
import { circle, line, picture, rectangle, SIZE, SMALL, text, type Mark, type Point } from "./draw.ts";
import { MARGIN, note, WIDTH } from "./flow.ts";

const [MANY, FEW] = [15, 8]; // good images of a class
const [FIRST, PITCH, TILE] = [128, 27, 21]; // where images begin, and their distance and size
const ROW = 32;

/** Words for the stages of a fit of GRAD. */
const STAGES: Readonly<Record<string, readonly [name: string, meaning: string]>> = {
  abnormal: ["abnormal grid", "restores what lies under pasted blocks"],
  normal: ["normal grid", "reconstructs good features"],
  bank: ["memory bank", "means of 3 × 3 good cells are gathered"],
  coreset: ["coreset", "the farthest of them are kept"],
};
const EXAMPLE = { height: 16, width: 16, channels: 40, variance: 24, images: 20 }; // the demo's features of a class

const samplesOf = (count: number): TrainingSample[] =>
  Array.from({ length: count }, (_, index) => ({
    className: "part",
    name: `image ${index}`,
    cut: null,
    views: [{ index, copies: [] }],
  }));

/** An image that is trained on, held out, or out of use. */
function tile([x, y]: Point, isTrained: boolean, isHeldOut: boolean): Mark[] {
  if (isTrained) return [rectangle([x, y], TILE, TILE, { fill: "blueSoft", stroke: "blue", radius: 3 })];
  if (!isHeldOut) return [rectangle([x, y], TILE, TILE, { stroke: "hair", radius: 3 })];
  return [
    rectangle([x, y], TILE, TILE, { fill: "purpleSoft", stroke: "purple", radius: 3 }),
    circle([x + TILE / 2, y + TILE / 2], 3.5, { fill: "purple" }),
  ];
}

/** The images of a class as one model sees them. */
function fitRow(
  y: number,
  name: string,
  samples: readonly TrainingSample[],
  { training, heldOut }: PlannedFit,
): Mark[] {
  return [
    text([MARGIN, y + 16], name, { bold: name === "detector" }),
    ...samples.flatMap((sample, i) =>
      tile([FIRST + i * PITCH, y], training.includes(sample), heldOut.includes(sample)),
    ),
  ];
}

/** The images that a training holds out, and the stages of each fit. */
export async function training(): Promise<string> {
  const { learner, options, folds } = await resolveTraining({});
  const plan = learner.plan(learner.configure(EXAMPLE, options), options, EXAMPLE.images);
  const [many, few] = [samplesOf(MANY), samplesOf(FEW)];
  const [only] = planFits(many, folds) as [PlannedFit];
  const fits = planFits(few, folds);
  const heading = (y: number, words: string): Mark => text([MARGIN, y], words, { bold: true });

  const few0 = 138; // where the second part begins
  const rows = few0 + 18;
  const legend = rows + fits.length * ROW + 24;
  const stages = legend + 58;
  const steps: readonly (readonly [name: string, meaning: string, count: string])[] = [
    ["features", "each image once, by the frozen backbone", ""],
    ...plan.map(({ stage, steps }) => {
      const words = STAGES[stage];
      if (!words) throw new Error(`the picture of trainings has no words for the stage ${stage}`);
      return [...words, `${steps} steps`] as const;
    }),
    ["threshold", "images held out are scored", ""],
  ];
  const step = 40;
  const first = stages + 30;
  const isHeldOut = (i: number): boolean => i === steps.length - 1;
  return picture(
    {
      width: WIDTH,
      height: first + steps.length * step + 4,
      title: "Training: what is held out, and the stages of a fit",
      description: `With ten good images of a class or more, one model is trained; every fifth image is held out of it and sets the threshold. With fewer, ${fits.length - 1} models are trained on parts of the images and score the rest, which sets the threshold; the detector itself is trained on all. A fit of GRAD: ${steps.map(([name, meaning, count]) => `${name}: ${meaning}${count ? `, ${count}` : ""}`).join("; ")}.`,
    },
    [
      heading(32, "ten good images of a class, or more"),
      fitRow(50, "detector", many, only),
      note([FIRST, 94], ["every fifth one sets the threshold"]),
      heading(few0, "fewer than ten: cross-validation"),
      fits.flatMap((fit, i) => fitRow(rows + i * ROW, i === fits.length - 1 ? "detector" : `model ${i + 1}`, few, fit)),
      note([FIRST + FEW * PITCH + 10, rows + 16], ["models that only set", "the threshold"]),
      note([FIRST + FEW * PITCH + 10, rows + (fits.length - 1) * ROW + 16], ["sees all images"]),
      tile([FIRST, legend - 15], true, false),
      text([FIRST + 30, legend], "trained on", { size: SMALL, role: "quiet" }),
      tile([FIRST + 150, legend - 15], false, true),
      text([FIRST + 180, legend], "held out: sets the threshold", { size: SMALL, role: "quiet" }),
      line(
        [
          [MARGIN, legend + 22],
          [WIDTH - MARGIN, legend + 22],
        ],
        { stroke: "hair" },
      ),
      heading(stages, "one fit of GRAD, 20 images"),
      line(
        [
          [MARGIN + 8, first],
          [MARGIN + 8, first + (steps.length - 1) * step],
        ],
        { stroke: "line", width: 2 },
      ),
      steps.flatMap(([name, meaning, count], i): Mark[] => {
        const y = first + i * step;
        return [
          circle([MARGIN + 8, y], 6, {
            fill: isHeldOut(i) ? "purple" : i === 0 ? "line" : "blue",
            stroke: "paper",
            width: 2,
          }),
          text([MARGIN + 28, y + 5], name, { size: SIZE, bold: true }),
          text([MARGIN + 162, y + 5], meaning, { size: SMALL, role: "quiet" }),
          ...(count ? [text([WIDTH - MARGIN, y + 5], count, { size: SMALL, anchor: "end" })] : []),
        ];
      }),
    ],
  );
}
