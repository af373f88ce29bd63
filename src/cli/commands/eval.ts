import type { Command } from "commander";
import { readDataset } from "../../node/dataset.ts";
import { loadDetector, modelPath, saveMetrics } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { evaluateRun, metricsReport } from "../evaluate_run.ts";
import { WEIGHTS_HELP } from "../options.ts";
import { metricsTable, print } from "../output.ts";

export function addEval(program: Command): void {
  program
    .command("eval")
    .description("measure a trained model on labelled images")
    .argument("<run>", "folder that train wrote")
    .argument("<dir>", "MVTec-layout folder with test images, or a folder of such folders")
    .option("--json", "one JSON object: {classes: {name: metrics}, mean: metrics}, fractions, null where undefined")
    .option("--save", "write the metrics into the model file too")
    .option("--weights <file>", WEIGHTS_HELP)
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .action(async (run: string, root: string, { json, save, weights, strict }: { json?: boolean; save?: boolean; weights?: string; strict?: boolean }) => {
      await modelPath(run);
      const dataset = await readDataset(root);
      const device = await openDevice();
      const report = metricsReport(await evaluateRun(await loadDetector(device, run, weights), root, dataset, strict ?? false));
      if (save) await saveMetrics(run, report);
      print(json ? JSON.stringify(report) : metricsTable(report.classes, report.mean));
    });
}
