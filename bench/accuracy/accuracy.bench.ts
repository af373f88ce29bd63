// npm run accuracy -- DIR... [--seeds 0,1,2] [--choices FILE] [--only NAMES] [any flag of bigrid train]
// Trains and evaluates for each dataset, choice and seed, and adds each result to a file as it comes; after an
// interruption the same command continues. Writes the tables of all results into docs/results.md: means and ranks over
// datasets first, and what is chosen if one of them is left out (docs/notes/protocol.md). --maps keeps the maps, of
// which pictures.bench.ts makes a page.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { Command } from "commander";
import { addTrainFlags, readTrainingOptions, type TrainFlags } from "../../src/cli/flags/options.ts";
import { evaluate } from "../../src/metrics/evaluate.ts";
import { meanMetrics } from "../../src/metrics/metrics.ts";
import { auroc, rank } from "../../src/metrics/ranking.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import { generalOptionsOf, resolveTraining, type TrainingOptions } from "../../src/detection/training_options.ts";
import { openDevice } from "../../src/node/device.ts";
import { ensureWritableFolder, writeFileAtomic } from "../../src/node/files/files.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { readChoices } from "./choices.ts";
import { featuresOf, type FeatureSet } from "./features.ts";
import { mapsPath, writeMaps } from "./maps.ts";
import { nearestNeighbours, type Scored } from "./nearest.ts";
import { protocolTables } from "./protocol.ts";
import { scoredBy } from "./subsets.ts";
import { addResult, holds, readResults, resultTables, withTables, type Result } from "./results.ts";

interface Flags extends TrainFlags, Readonly<Record<string, unknown>> {
  readonly seeds: string;
  readonly choices: string;
  readonly only?: string;
  readonly out: string;
  readonly report: string;
  readonly features: string;
  readonly maps?: string;
}

const SAID_EVERY = 50; // steps

const program = new Command("npm run accuracy --").argument("<dirs...>", "datasets");
(await addTrainFlags(program, []))
  .option("--seeds <list>", "of the trainings, with commas", "0,1,2")
  .option("--choices <file>", "the compared choices, as JSON", "bench/accuracy/choices.json")
  .option("--only <names>", "of these choices, with commas (default: all)")
  .option("--out <file>", "the results, added to", "bench/results/accuracy.json")
  .option("--report <file>", "the document whose tables are written anew", "docs/results.md")
  .option("--maps <dir>", "keeps the maps of the first seed there, for npm run bench -- pictures")
  .option("--features <dir>", "where features are kept between runs", "runs/features");
await program.parseAsync(process.argv.slice(3), { from: "user" });
await compare(program.args, program.opts<Flags>());

async function compare(
  roots: readonly string[],
  { seeds, choices, only, out, report, features, maps, ...flags }: Flags,
): Promise<void> {
  const wanted = await readChoices(choices, only?.split(",") ?? null);
  const numbers = seeds
    .split(",")
    .map((word) => (/^\d+$/.test(word) ? Number(word) : fail(`--seeds takes whole numbers, got ${word}`)));
  await ensureWritableFolder(dirname(out));
  const device = await openDevice();
  const { training: flagged } = await readTrainingOptions(flags);
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  for (const root of roots) {
    const dataset = basename(resolve(root));
    for (const choice of wanted) {
      const given = { ...flagged, ...("options" in choice && choice.options) };
      const settings = await resolveTraining(given);
      for (const seed of "window" in choice ? [null] : numbers) {
        const { inputSize, resize, padding } = settings;
        const {
          seed: _seed,
          backbone,
          featureBudget: _budget,
          augment: _augment,
          ...general
        } = generalOptionsOf(settings);
        // without a model only what changes the images counts
        const options = seed === null ? { inputSize, resize, padding } : { ...general, ...settings.options };
        const key = { dataset, backbone, choice: choice.name, seed, options };
        const label = `${dataset}, ${backbone}, ${choice.name}${seed === null ? "" : `, seed ${seed}`}`;
        const kept = maps && (seed ?? numbers[0]) === numbers[0] ? mapsPath(maps, key) : null;
        if (holds(await readResults(out), key) && !(kept && !existsSync(kept))) {
          console.error(`${label}: known`);
          continue;
        }
        console.error(label);
        const set = await featuresOf(device, root, given, settings, features);
        const started = performance.now();
        const scored =
          "window" in choice ? await searched(set, choice.window) : await trained(set, { ...given, seed: seed! });
        const seconds = (performance.now() - started) / 1000;
        if (kept) await writeMaps(kept, scored.flat());
        const images = { train: countOf(set, "train"), test: countOf(set, "test") };
        const { description: adapter } = device.adapter;
        const results = await addResult(out, { ...key, images, adapter, commit, ...measured(scored), seconds });
        const tables = [protocolTables(results), resultTables(results)].filter(Boolean).join("\n\n");
        await writeFileAtomic(report, withTables(await readFile(report, "utf8"), tables));
      }
    }
  }

  /** Scores of test images, class by class, by distance to the nearest good cells. */
  async function searched(set: FeatureSet, window: number): Promise<Scored[][]> {
    const scored: Scored[][] = [];
    for (const data of set.classes) scored.push(await nearestNeighbours(device, set, data, window));
    return scored;
  }

  /** Scores of test images, class by class, by a detector trained on all classes. */
  async function trained(set: FeatureSet, options: TrainingOptions): Promise<Scored[][]> {
    async function* images(): AsyncGenerator<TrainingImage> {
      for (const { name, train } of set.classes) for (const image of train) yield { className: name, image };
    }
    const training = await Training.begin(device, images(), options);
    for await (const { stage, step, steps, model, models, loss, secondsLeft } of training.fit()) {
      if (step % SAID_EVERY !== 0) continue;
      const left = `${(secondsLeft / 60).toFixed(1)} minutes left`;
      console.error(`  model ${model}/${models}, ${stage} ${step}/${steps}, loss ${loss?.toPrecision(3)}, ${left}`);
    }
    const detector = await training.finish();
    const scored: Scored[][] = [];
    for (const { test } of set.classes) scored.push(await scoredBy(detector, set, test));
    detector.release();
    return scored;
  }
}

/** Means over the classes; shares of the images of all. */
function measured(classes: readonly (readonly Scored[])[]): Pick<Result, "metrics" | "peakAuroc" | "atThreshold"> {
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
    ...verdicts(classes.flat()),
  };
}

function verdicts(images: readonly Scored[]): Pick<Result, "atThreshold"> {
  if (images.some(({ isRejected }) => isRejected === undefined)) return {};
  const shareOf = (own: readonly Scored[]) => own.filter(({ isRejected }) => isRejected).length / own.length;
  const falseReject = shareOf(images.filter(({ defective }) => !defective));
  return { atThreshold: { falseReject, recall: shareOf(images.filter(({ defective }) => defective)) } };
}

function countOf({ classes }: FeatureSet, part: "train" | "test"): number {
  return classes.reduce((sum, { [part]: { length } }) => sum + length, 0);
}

function fail(message: string): never {
  throw new OptionError(message);
}
