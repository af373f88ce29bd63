import type { Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { loadDetector, modelPath, saveMetrics } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { evaluateRun, metricsReport } from "../evaluate_run.ts";
import { WEIGHTS_HELP } from "../options.ts";
import { metricsTable, print } from "../output.ts";

interface EvalFlags {
  readonly json?: boolean;
  readonly save?: boolean;
  readonly weights?: string;
  readonly format?: FormatName;
  readonly strict?: boolean;
}

export function addEval(program: Command): void {
  const command = program
    .command("eval")
    .description("measure a trained model on labelled images")
    .argument("<run>", "folder that train wrote")
    .argument("<dir>", DATASET_HELP)
    .option("--json", "one JSON object: {classes: {name: metrics}, mean: metrics}, fractions, null where undefined")
    .option("--save", "write the metrics into the model file too")
    .option("--weights <file>", WEIGHTS_HELP);
  addFormatFlag(command)
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .action(async (run: string, root: string, { json, save, weights, format, strict = false }: EvalFlags) => {
      await modelPath(run);
      const dataset = await openDataset(root, format, strict);
      const device = await openDevice();
      const report = metricsReport(await evaluateRun(await loadDetector(device, run, weights), root, dataset, strict));
      if (save) await saveMetrics(run, report);
      print(json ? JSON.stringify(report) : metricsTable(report.classes, report.mean));
    });
}
