import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { METHOD_NAMES } from "../../methods/registry.ts";
import { claimOutputs } from "../../node/files/claim.ts";
import { replaceFiles } from "../../node/files/files.ts";
import { InputError } from "../../runtime/errors.ts";
import { CompareRun, runFolder, type CompareOptions } from "../compare/compare_run.ts";
import { compareResults, definedMetrics, type Comparison } from "../compare/comparison.ts";
import { methodNames, readContenders, seedList, SHARED_FLAGS, type ContenderFlags } from "../compare/contenders.ts";
import { comparePage } from "../compare/page/compare_page.ts";
import type { ImageSource } from "../compare/stored_features.ts";
import { comparisonTable } from "../compare/table.ts";
import { ranked } from "../compare/words.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { wholeNumber } from "../flags/numbers.ts";
import { addOptionFlags, collectSettings } from "../flags/option_flags.ts";
import { WEIGHTS_HELP } from "../flags/options.ts";
import { addRegionFlags, hashRegion, readRegion, regionWords, type RegionFlags } from "../flags/region.ts";
import { keptFlags } from "../train/earlier_run.ts";
import { FAILED } from "../terminal/exit_codes.ts";
import { print, printLines, say } from "../terminal/say.ts";

interface CompareFlags extends ContenderFlags, RegionFlags, Readonly<Record<string, unknown>> {
  readonly seeds: readonly number[];
  readonly out: string;
  readonly format?: FormatName;
  readonly strict?: boolean;
  readonly resamples: number;
  readonly json?: boolean;
}

const [PAGE, DATA] = ["compare.html", "compare.json"];
const SAVE_EVERY = 100; // steps
const METHODS = "Methods:";

export function addCompare(program: Command): void {
  const command = program
    .command("compare")
    .description("train and measure several methods on the same images, and write a page with the results side by side")
    .argument("<dir>", `${DATASET_HELP}; with test images, of which some are defective`)
    .optionsGroup(METHODS)
    .addOption(
      new Option("--methods <names>", `of ${METHOD_NAMES.join(", ")}`)
        .argParser(methodNames)
        .default(METHOD_NAMES, "all"),
    )
    .addOption(
      new Option("--seeds <numbers>", "seeds of each method, with commas")
        .argParser(seedList)
        .default([0, 1, 2], "0,1,2"),
    );
  addOptionFlags(command, "training", SHARED_FLAGS, () => METHODS);
  command
    .option("--weights <file>", WEIGHTS_HELP)
    .option(
      "--set <name=value>",
      "an option of all trainings, or, as METHOD.name=value, of one method; may be repeated",
      collectSettings,
    )
    .optionsGroup("Data:");
  addRegionFlags(addFormatFlag(command))
    .option("--strict", "stop at the first image that cannot be read, instead of skipping it")
    .optionsGroup("Output:")
    .addOption(new Option("--out <dir>", `folder for ${PAGE}, ${DATA} and the models`).makeOptionMandatory())
    .option("--resamples <n>", "of the test images, for the intervals (0: none)", wholeNumber(0), 1000)
    .option("--json", `print ${DATA} instead of a table`)
    .addHelpText("after", "\nEach result is kept as it comes: after an interruption the same command goes on.")
    .action(async (root: string, { json, out, roi, ignore, format, strict = false, ...flags }: CompareFlags) => {
      const region = await readRegion({ roi, ignore });
      const contenders = await readContenders(flags);
      const dataset = await openDataset(root, format, strict);
      if (!dataset.classes.some(({ test }) => test.length > 0))
        throw new InputError(`${root} has no test images, read as ${dataset.layout.format}: ${dataset.layout.rule}`);
      const paths = { page: join(out, PAGE), data: join(out, DATA) };
      await using _claim = await claimOutputs({ folders: [out], files: Object.values(paths) });
      const regionHash = await hashRegion({ roi, ignore });
      const source = { root, dataset, region, regionHash, kept: keptFlags({ roi, ignore }), strict };
      const { seeds, resamples } = flags;
      const options = { contenders, seeds, resamples, out, saveEvery: SAVE_EVERY };
      const comparison = await compareThrough(source, options, paths);
      if (json) print(JSON.stringify(comparison));
      else {
        printLines(comparisonTable(comparison));
        print(`results ${resolve(paths.data)}`);
        print(`page    ${resolve(paths.page)}   open it in a browser`);
        const run = ranked(comparison, definedMetrics(comparison)[0]).find((method) => method.run !== null)?.run;
        if (run)
          print(
            `next: bigrid predict ${join(out, run)} IMAGE...${regionWords({ roi, ignore })} --out DIR   finds defects in new images`,
          );
      }
      if (comparison.methods.some(({ failures }) => failures.length > 0)) process.exitCode = FAILED;
    });
}

/** Measures what is not known yet, and writes the page and its data. */
async function compareThrough(
  source: ImageSource,
  options: CompareOptions,
  { page, data }: { readonly page: string; readonly data: string },
): Promise<Comparison> {
  const { root, dataset } = source;
  const { contenders, seeds, resamples } = options;
  await using run = await CompareRun.open(source, options);
  const device = await run.device();
  const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
  const trainings = counted(contenders.length * seeds.length, "training");
  say(`${counted(contenders.length, "method")}, ${trainings}, on ${device.adapter.description}`);
  await run.measureAll();
  const { failures } = run;
  if (failures.length > 0 && contenders.every(({ method }) => run.measuredOf(method.name).size === 0))
    throw new InputError(`no method could be measured: ${failures[0]!.reason}`);
  const entrants = contenders.map((contender) => ({ contender, measured: run.measuredOf(contender.method.name) }));
  const [first] = seeds as readonly [number];
  const comparison = compareResults(entrants, {
    root,
    format: dataset.layout.format,
    classes: dataset.classes,
    adapter: device.adapter.description,
    seeds,
    resamples,
    failures,
    runOf: (method) => runFolder("", method, first),
  });
  await replaceFiles([
    [data, `${JSON.stringify(comparison, null, 2)}\n`],
    [page, comparePage(comparison, await run.gallery())],
  ]);
  return comparison;
}
