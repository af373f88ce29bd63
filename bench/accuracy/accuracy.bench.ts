// npm run accuracy -- DIR [--seeds 0,1,2] [--choices both,normal,abnormal,nearest] [any flag of bigrid train]
// Trains and evaluates for each seed and choice, and appends each result to a file as it comes; after an interruption
// the same command continues. Writes the table of all results into docs/results.md.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Command } from "commander";
import { addTrainFlags, readTrainingOptions, type TrainFlags } from "../../src/cli/flags/options.ts";
import { evaluate } from "../../src/metrics/evaluate.ts";
import { meanMetrics } from "../../src/metrics/metrics.ts";
import { auroc, rank } from "../../src/metrics/ranking.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import type { GradOptions } from "../../src/methods/grad/options.ts";
import type { TrainingImage } from "../../src/detection/material.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingOptions, TrainingOptionsOf } from "../../src/detection/training_options.ts";
import { openDevice } from "../../src/node/device.ts";
import { ensureWritableFolder, writeFileAtomic } from "../../src/node/files/files.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { fromArray, release } from "../../src/tensor/tensor.ts";
import { featuresOf, type FeatureSet } from "./features.ts";
import { nearestNeighbours, type Scored } from "./nearest.ts";
import { addResult, holds, readResults, resultTables, withTables, type Choice, type Result } from "./results.ts";

type GradTrainingOptions = TrainingOptionsOf<"grad">;

interface Flags extends TrainFlags, Readonly<Record<string, unknown>> {
  readonly seeds: string;
  readonly choices: string;
  readonly out: string;
  readonly report: string;
  readonly features: string;
  readonly name?: string;
}

const CHOICES: Readonly<Record<string, readonly Choice[]>> = {
  both: ["both"],
  normal: ["normal"],
  abnormal: ["abnormal"],
  nearest: ["nearest cell", "nearest mean of 3 x 3"],
};
const WINDOWS: { readonly [choice in Choice]?: number } = { "nearest cell": 1, "nearest mean of 3 x 3": 3 };
const SAID_EVERY = 50; // steps

const program = new Command("npm run accuracy --").argument("<dir>", "a dataset");
(await addTrainFlags(program, []))
  .option("--seeds <list>", "of the trainings, with commas", "0,1,2")
  .option("--choices <list>", `of ${Object.keys(CHOICES).join(", ")}`, Object.keys(CHOICES).join(","))
  .option("--out <file>", "the results, added to", "bench/results/accuracy.json")
  .option("--report <file>", "the document whose tables are written anew", "docs/results.md")
  .option("--features <dir>", "where features are kept between runs", "runs/features")
  .option("--name <name>", "the dataset's, in the table (default: its folder's)");
await program.parseAsync(process.argv.slice(3), { from: "user" });
await compare(program.args[0]!, program.opts<Flags>());

async function compare(root: string, { seeds, choices, out, report, features, name, ...flags }: Flags): Promise<void> {
  const wanted = choices
    .split(",")
    .flatMap((word) => CHOICES[word] ?? fail(`--choices takes ${Object.keys(CHOICES).join(", ")}, got ${word}`));
  const numbers = seeds
    .split(",")
    .map((word) => (/^\d+$/.test(word) ? Number(word) : fail(`--seeds takes whole numbers, got ${word}`)));
  await ensureWritableFolder(dirname(out));
  const device = await openDevice();
  const options = await readTrainingOptions(flags);
  const {
    backbone,
    weights: _weights,
    seed: _seed,
    featureBudget: _budget,
    method: _method,
    ...others
  } = options as GradTrainingOptions;
  const { inputSize, resize, padding } = options;
  // options that affect the images, with or without a model
  const seen = { inputSize, ...(resize && { resize }), ...(padding && { padding }) };
  const set = await featuresOf(device, root, options, features);
  const common = {
    dataset: name ?? root.split("/").filter(Boolean).at(-1)!,
    backbone: backbone!,
    images: { train: countOf(set, "train"), test: countOf(set, "test") },
    adapter: device.adapter.description,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
  };
  for (const choice of wanted) {
    for (const seed of WINDOWS[choice] ? [null] : numbers) {
      const decoder = others.decoder ?? (device.adapter.software ? "tiny" : "mobile");
      const told = seed === null ? seen : { ...others, decoder };
      const key = { dataset: common.dataset, backbone: common.backbone, choice, seed, options: told };
      const label = `${common.dataset}, ${common.backbone}, ${choice}${seed === null ? "" : `, seed ${seed}`}`;
      if (holds(await readResults(out), key)) {
        console.error(`${label}: known`);
        continue;
      }
      console.error(label);
      const started = performance.now();
      const scored =
        seed === null
          ? await searched(set, WINDOWS[choice]!)
          : await trained(set, {
              ...(options as GradTrainingOptions),
              seed,
              branches: choice as NonNullable<GradOptions["branches"]>,
            });
      const seconds = (performance.now() - started) / 1000;
      const results = await addResult(out, { ...common, ...key, ...measured(scored), seconds });
      await writeFileAtomic(report, withTables(await readFile(report, "utf8"), resultTables(results)));
    }
  }

  /** Scores of test images, class by class, by distance to the nearest good cells. */
  async function searched(set: FeatureSet, window: number): Promise<Scored[][]> {
    const scored: Scored[][] = [];
    for (const data of set.classes) scored.push(await nearestNeighbours(device, set, data, window));
    return scored;
  }

  /** Scores of test images, class by class, by a detector trained on all classes. */
  async function trained(
    { classes, cells, channels, size }: FeatureSet,
    options: TrainingOptions,
  ): Promise<Scored[][]> {
    async function* images(): AsyncGenerator<TrainingImage> {
      for (const { name, train } of classes) for (const image of train) yield { className: name, image };
    }
    const training = await Training.begin(device, images(), options);
    for await (const { stage, step, steps, run, runs, loss, secondsLeft } of training.fit()) {
      if (step % SAID_EVERY !== 0) continue;
      const left = `${(secondsLeft / 60).toFixed(1)} minutes left`;
      console.error(`  model ${run}/${runs}, ${stage} ${step}/${steps}, loss ${loss?.toPrecision(3)}, ${left}`);
    }
    const detector = await training.finish();
    const scored: Scored[][] = [];
    for (const { test } of classes) {
      const own: Scored[] = [];
      for (const { defective, features, mask } of test) {
        const tensor = fromArray(device, [1, cells, cells, channels], features);
        const [{ score, peak, map }] = (await detector.inspectFeatures(tensor)) as [Inspection];
        release(tensor);
        own.push({ defective, score, peak, map, mask, width: size, height: size });
      }
      scored.push(own);
    }
    detector.release();
    return scored;
  }
}

/** Means over the classes. */
function measured(classes: readonly (readonly Scored[])[]): Pick<Result, "metrics" | "peakAuroc"> {
  const peaks = classes.map((own) => {
    const labels = Uint8Array.from(own, ({ defective }) => (defective ? 1 : 0));
    return auroc(
      rank(
        Float64Array.from(own, ({ peak }) => peak),
        labels,
      ),
    );
  });
  const known = peaks.filter((value) => value !== null);
  return {
    metrics: meanMetrics(classes.map((own) => evaluate(own))),
    peakAuroc: known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null,
  };
}

function countOf({ classes }: FeatureSet, part: "train" | "test"): number {
  return classes.reduce((sum, { [part]: { length } }) => sum + length, 0);
}

function fail(message: string): never {
  throw new OptionError(message);
}
