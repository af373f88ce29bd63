import type { Command } from "commander";
import type { Dataset } from "../../data/dataset.ts";
import type { FormatName } from "../../data/layouts/layout.ts";
import { fileCount, surveyDataset, type Survey } from "../../data/survey.ts";
import { TRAINING_OPTIONS, type TrainingOptions } from "../../detection/training_options.ts";
import { loadMethods } from "../../methods/registry.ts";
import { readDataset } from "../../node/dataset.ts";
import { writeFileAtomic } from "../../node/files/files.ts";
import { pictureReader } from "../../node/picture_reader.ts";
import { OptionError } from "../../runtime/errors.ts";
import { addFormatFlag } from "../dataset.ts";
import { addOptionFlags, valuesOfFlags } from "../flags/option_flags.ts";
import { fewImagesRemark } from "../few_images.ts";
import { openTrainingWeights, WEIGHTS_HELP } from "../flags/options.ts";
import { inspectPage } from "../inspect/inspect_page.ts";
import { inspectText, methodsText } from "../inspect/inspect_text.ts";
import { rankSuspects, suspectsText } from "../inspect/suspects.ts";
import { print, printLines } from "../terminal/say.ts";
import { showProgress } from "../terminal/progress.ts";
import { claimShown } from "../terminal/shown_outputs.ts";

/** The output of `inspect --json`. */
interface InspectReport extends Survey {
  readonly dataset: string;
  readonly layout: Dataset["layout"];
  readonly alternative: FormatName | null;
  readonly page: string | null;
  /** The good images, those least like the others first. */
  readonly suspects?: readonly { readonly path: string; readonly className: string; readonly ratio: number }[];
}

interface InspectFlags extends Readonly<Record<string, unknown>> {
  readonly format?: FormatName;
  readonly out?: string;
  readonly json?: boolean;
  readonly suspects?: boolean;
  readonly weights?: string;
}

const { backbone, stages, inputSize } = TRAINING_OPTIONS;
/** Options of a training that decide how images are compared. */
const FEATURE_FLAGS = { backbone, stages, inputSize };

export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description("say how a folder is understood as a dataset, what it holds, and what looks wrong")
    .argument("<dir>", "folder of images");
  const SUSPECTS = "Good images that look unlike the others:";
  addFormatFlag(command)
    .option("--out <file>", "write a page with sample pictures and the outlines of their masks, as HTML")
    .option(
      "--json",
      "one JSON object: {dataset, layout, alternative, page, classes, findings: [{kind, severity, message, advice, paths}], suspects}",
    )
    .optionsGroup(SUSPECTS)
    .option("--suspects", "rank them: some may be defective; needs a WebGPU adapter");
  addOptionFlags(command, "training", FEATURE_FLAGS, () => SUSPECTS)
    .option("--weights <file>", WEIGHTS_HELP)
    .action(async (root: string, { format, out, json, suspects = false, weights, ...flags }: InspectFlags) => {
      const told = valuesOfFlags(FEATURE_FLAGS, flags) as TrainingOptions;
      const [idle] = Object.keys({ ...told, ...(weights !== undefined && { weights }) });
      if (!suspects && idle !== undefined)
        throw new OptionError(`--${idle === "inputSize" ? "size" : idle} has an effect with --suspects only`);
      const options = suspects ? { ...told, weights: await openTrainingWeights(told, weights) } : null;
      const dataset = await readDataset(root, { format });
      await using _claim = await claimShown({ files: out === undefined ? [] : [out] }, json && "--json");
      const bar = showProgress("Files", fileCount(dataset));
      const onProgress = ({ done }: { readonly done: number }): void => bar.update(done);
      const survey = await surveyDataset(dataset, pictureReader(root), { onProgress }).finally(() => bar.end());
      const ranked = options && (await rankSuspects(root, dataset, options));
      if (out !== undefined)
        await writeFileAtomic(out, await inspectPage(root, dataset, survey, await loadMethods(), ranked));
      if (json) {
        const { layout, alternative } = dataset;
        const report: InspectReport = { dataset: root, layout, alternative, page: out ?? null, ...survey };
        const suspects = ranked?.map(({ name, className, ratio }) => ({ path: name, className, ratio }));
        if (suspects) return print(JSON.stringify({ ...report, suspects } satisfies InspectReport));
        return print(JSON.stringify(report));
      }
      printLines(inspectText(root, dataset, survey));
      print("");
      if (ranked) {
        printLines(suspectsText(ranked));
        print("");
      }
      printLines(methodsText(await loadMethods()));
      const few = await fewImagesRemark(dataset.classes);
      if (few !== null) print(few);
      print("");
      if (out !== undefined) print(`pictures  ${out}   open it in a browser`);
      else print(`pictures: bigrid inspect ${root} --out PAGE.html`);
      print(`next: bigrid train ${root} --out RUN`);
      if (survey.classes.some(({ testDefective }) => testDefective > 0))
        print(`or:   bigrid compare ${root} --out DIR   measures the methods on these images`);
    });
}
