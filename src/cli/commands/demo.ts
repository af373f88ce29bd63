import { join, resolve } from "node:path";
import type { Command } from "commander";
import { pictureCount } from "../../data/synthetic.ts";
import { hashFile } from "../../node/files/hash.ts";
import { readDataset } from "../../node/dataset.ts";
import { claimRun } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { writeFileAtomic } from "../../node/files/files.ts";
import { writeSyntheticSet } from "../../node/synthetic.ts";
import { TrainingFiles } from "../../node/training_files.ts";
import { evaluateRun, metricsReport } from "../evaluate/evaluate_run.ts";
import { wholeNumber } from "../flags/numbers.ts";
import { metricsTable } from "../evaluate/metrics_table.ts";
import { print, printLines, say } from "../terminal/say.ts";
import { showProgress } from "../terminal/progress.ts";
import { runReport } from "../evaluate/run_report.ts";
import { keptFlags } from "../train/earlier_run.ts";
import { trainRun } from "../train/train_run.ts";

export const PICTURES = { size: 256, train: 24, good: 8, defective: 4, seed: 1 };
const INPUT_SIZE = 128; // of the model: a third of the work of 224, and enough for these pictures

export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("make a small synthetic inspection set, train on it, evaluate, write a report")
    .option("--out <dir>", "folder for the pictures, the model and the report", "bigrid-demo")
    .option("--seed <n>", "seed of all random numbers", wholeNumber(0), 0)
    .option("--size <pixels>", "side of the square that images are resized to", wholeNumber(64), INPUT_SIZE)
    .option("--json", "one JSON object: {classes, mean, intervals, pixels, model, report}")
    .action(async ({ out, seed, size, json }: { out: string; seed: number; size: number; json?: boolean }) => {
      await using _claim = await claimRun(out);
      const device = await openDevice();
      const root = join(out, "images");
      const started = performance.now();
      const bar = showProgress("Pictures", pictureCount(PICTURES));
      let made = 0;
      await writeSyntheticSet(root, { ...PICTURES, onPicture: () => bar.update(++made) }).finally(() => bar.end());
      const imageSeconds = (performance.now() - started) / 1000;
      const dataset = await readDataset(root);
      const options = { inputSize: size, seed };
      const isBegun = (await new TrainingFiles(out).saved()).length > 0;
      say(`synthetic inspection set in ${root}; training on ${device.adapter.description}`);
      const begun = { strict: true, resume: isBegun, region: null, kept: keptFlags({}), saveEvery: 100 };
      const { detector, modelPath, losses, seconds } = await trainRun(device, root, dataset, out, options, begun);
      const evaluated = await evaluateRun(detector, root, dataset, { strict: true, region: null });
      const reportPath = join(out, "report.html");
      const writeReport = async (): Promise<void> => {
        const html = await runReport({
          title: "Synthetic inspection set",
          detector,
          modelPath,
          modelSha256: await hashFile(modelPath),
          root,
          format: dataset.layout.format,
          evaluated,
          region: null,
          losses,
          configuration: [["Seed", String(seed)]],
          imageSeconds,
          trainingSeconds: seconds,
        });
        await writeFileAtomic(reportPath, html);
      };
      const failure = await writeReport().then(
        () => null,
        (error: Error) => error,
      ); // the figures are not lost with the report
      if (json)
        print(JSON.stringify({ ...metricsReport(evaluated), model: modelPath, report: failure ? null : reportPath }));
      else {
        printLines(metricsTable(evaluated, detector.config.calibration));
        print(`model   ${resolve(modelPath)}`);
        if (!failure) print(`report  ${resolve(reportPath)}   open it in a browser`);
      }
      if (failure) throw failure;
    });
}
