import { basename, dirname, join, resolve } from "node:path";
import { Option, type Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { PIXEL_METHODS, type PixelMethod } from "../../metrics/evaluate.ts";
import { hashFile } from "../../node/files/hash.ts";
import { loadDetector, modelPath, saveMetrics } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { writeFileAtomic } from "../../node/files/files.ts";
import { TrainingFiles } from "../../node/training_files.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { evaluateRun, metricsReport } from "../evaluate/evaluate_run.ts";
import { HALF_HELP, WEIGHTS_HELP } from "../flags/options.ts";
import { metricsTable } from "../evaluate/metrics_table.ts";
import { print, printLines } from "../terminal/say.ts";
import { claimShown } from "../terminal/shown_outputs.ts";
import { addRegionFlags, readRegion, regionWords, remarkOnRegion, type RegionFlags } from "../flags/region.ts";
import { runReport } from "../evaluate/run_report.ts";
import { lossCurvesOf } from "../train/train_run.ts";
import { wholeNumber } from "../flags/numbers.ts";

interface EvalFlags extends RegionFlags {
  readonly json?: boolean;
  readonly save?: boolean;
  /** A file's path; true if nothing was said, false for none. */
  readonly report: string | boolean;
  readonly metrics: PixelMethod;
  readonly resamples: number;
  readonly weights?: string;
  readonly half?: boolean;
  readonly format?: FormatName;
  readonly strict?: boolean;
}

const METRICS_HELP =
  "pixel metrics of all pixels, or streamed in bounded memory with a stated error; auto: exact up to 33 million pixels a class";

export function addEval(program: Command): void {
  const command = program
    .command("eval")
    .description("measure a trained model on labelled images, and write a report")
    .argument("<run>", "folder that train wrote")
    .argument("<dir>", DATASET_HELP)
    .option("--report <file>", "where the report goes, an HTML page (default: report.html in the run's folder)")
    .option("--no-report", "write no report")
    .option(
      "--json",
      "one JSON object: {classes: {name: metrics}, mean, intervals, pixels, skipped, report}, fractions, null where undefined",
    )
    .option("--save", "write the metrics into the model file too")
    .addOption(new Option("--metrics <method>", METRICS_HELP).choices(PIXEL_METHODS).default("auto"))
    .option("--resamples <n>", "of the test images, for the intervals (0: none)", wholeNumber(0), 1000)
    .option("--weights <file>", WEIGHTS_HELP)
    .option("--half", HALF_HELP);
  addRegionFlags(addFormatFlag(command))
    .option("--strict", "stop at the first image that cannot be read, instead of skipping it")
    .action(
      async (
        run: string,
        root: string,
        {
          json,
          save,
          report,
          metrics: method,
          resamples,
          weights,
          half = false,
          format,
          strict = false,
          roi,
          ignore,
        }: EvalFlags,
      ) => {
        const region = await readRegion({ roi, ignore });
        const model = await modelPath(run);
        const reportPath =
          report === false ? null : typeof report === "string" ? report : join(dirname(model), "report.html");
        await using _claim = await claimShown(
          { files: [...(reportPath === null ? [] : [reportPath]), ...(save ? [model] : [])] },
          json && "--json",
        );
        const dataset = await openDataset(root, format, strict);
        const device = await openDevice();
        const sha256 = await hashFile(model);
        const detector = await loadDetector(device, run, { weights, half, sha256 });
        remarkOnRegion(run, detector.config.regions, region);
        const evaluated = await evaluateRun(detector, root, dataset, { strict, method, resamples, region });
        const measured = metricsReport(evaluated);
        let modelSha256 = sha256;
        const saveFigures = async (): Promise<void> => {
          modelSha256 = await saveMetrics(run, measured, sha256);
        };
        const writeReport = async (path: string): Promise<void> => {
          const html = await runReport({
            title: `${basename(resolve(run))} on ${basename(resolve(root))}`,
            detector,
            modelPath: model,
            modelSha256,
            root,
            format: dataset.layout.format,
            evaluated,
            region,
            configuration: region
              ? [["What counts", regionWords({ roi: roi && basename(roi), ignore: ignore && basename(ignore) }).trim()]]
              : [],
            losses: lossCurvesOf(await new TrainingFiles(dirname(model)).logged()),
            imageSeconds: null,
            trainingSeconds: null,
          });
          await writeFileAtomic(path, html);
        };
        const failures: Error[] = []; // the figures are not lost with what cannot be written
        const attempt = (work: Promise<void>): Promise<boolean> =>
          work.then(
            () => true,
            (error: Error) => failures.push(error) === 0,
          );
        if (save) await attempt(saveFigures());
        const isReported = reportPath !== null && (await attempt(writeReport(reportPath)));
        if (json)
          print(JSON.stringify({ ...measured, skipped: evaluated.skipped, report: isReported ? reportPath : null }));
        else {
          printLines(metricsTable(evaluated, detector.config.calibration));
          if (isReported) print(`report  ${resolve(reportPath)}   open it in a browser`);
        }
        if (failures[0]) throw failures[0];
      },
    );
}
