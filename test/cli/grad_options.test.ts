// Every option of the model is a flag of bigrid train.
import { Command } from "commander";
import { expect, test } from "vitest";
import { addTrainFlags, trainingOptionsOf, type TrainFlags } from "../../src/cli/options.ts";
import { gradConfig, type GradOptions } from "../../src/methods/grad/config.ts";

/** The options of the model that a command line asks for. */
async function gradOf(...words: string[]): Promise<GradOptions | undefined> {
  const command = addTrainFlags(new Command()).exitOverride().configureOutput({ writeErr: () => undefined });
  command.parse(words, { from: "user" });
  return (await trainingOptionsOf(command.opts<TrainFlags>())).grad;
}

const FLAGS: readonly (readonly [words: string, options: GradOptions])[] = [
  ["--decoder basic", { decoder: "basic" }],
  ["--blocks 3", { blocks: 3 }],
  ["--local-grid 5", { localGrid: 5 }],
  ["--global-grid 2", { globalGrid: 2 }],
  ["--branches normal", { branches: "normal" }],
  ["--heads separate", { heads: "separate" }],
  ["--no-standardise", { standardise: false }],
  ["--fusion lambda", { fusion: "lambda" }],
  ["--lambda 0.7", { lambda: 0.7 }],
  ["--abnormal-weight -0.5", { abnormalWeight: -0.5 }],
  ["--hinge-head own", { hingeHead: "own" }],
  ["--hinge 0.25", { hinge: 0.25 }],
  ["--pairs cosine", { pairs: "cosine" }],
  ["--pair-count 16", { pairCount: 16 }],
  ["--form published", { form: "published" }],
  ["--hinge-weight 0.25", { hingeWeight: 0.25 }],
  ["--residual-weight 0.5", { residualWeight: 0.5 }],
  ["--residual-floor -1", { residualFloor: -1 }],
  ["--hinge-floor 2", { hingeFloor: 2 }],
  ["--freeze branch", { freeze: "branch" }],
  ["--paste-direction equal", { paste: { direction: "equal" } }],
  ["--paste-intensity 1.5,2", { paste: { intensity: [1.5, 2] } }],
  ["--paste-shared 0,0.5", { paste: { shared: [0, 0.5] } }],
  ["--paste-signs channel", { paste: { signs: "channel" } }],
  ["--paste-source places", { paste: { source: "places" } }],
  ["--paste-walk paper", { paste: { walk: "paper" } }],
  ["--paste-steps 20", { paste: { steps: 20 } }],
  ["--paste-max-half-side 4.5", { paste: { maxHalfSide: 4.5 } }],
  ["--paste-region 0,0.25,1,0.5", { paste: { region: [0, 0.25, 1, 0.5] } }],
  ["--paste-count 2", { paste: { count: 2 } }],
  ["--paste-per batch", { paste: { per: "batch" } }],
  ["--paste-blur-sigma 1.5", { paste: { blurSigma: 1.5 } }],
  ["--paste-blur-radius 2", { paste: { blurRadius: 2 } }],
];

test.each(FLAGS)("%s", async (words, options) => {
  expect(await gradOf(...words.split(" "))).toEqual({ standardise: true, ...options });
});

test("no option of the model is without a flag, and all go together", async () => {
  const { height: _h, width: _w, channels: _c, similarityThreshold: _t, paste, ...own } = gradConfig({ height: 9, width: 9, channels: 8, variance: 1 });
  const reached = (await gradOf(...FLAGS.flatMap(([words]) => words.split(" "))))!;
  expect(Object.keys(reached).sort()).toEqual([...Object.keys(own), "form", "paste"].sort());
  expect(Object.keys(reached.paste!).sort()).toEqual(Object.keys(paste).sort());
});

test.each([
  ["--paste-intensity 1", "2 numbers with commas between them are needed"],
  ["--paste-intensity 1,b", "A number is needed"],
  ["--paste-shared 0,", "A number is needed"],
  ["--paste-region 0,1", "4 numbers with commas between them are needed"],
  ["--paste-steps 1.5", "A whole number from 0 to 4294967295 is needed"],
  ["--paste-blur-sigma 0", "A number above 0 is needed"],
  ["--hinge high", "A number is needed"],
  ["--paste-direction up", "Allowed choices are equal, random, differences"],
])("%s is wrong usage", async (words, message) => {
  await expect(gradOf(...words.split(" "))).rejects.toThrow(message);
});
