import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Dataset } from "../../data/dataset.ts";
import type { Calibration } from "../../detection/calibration.ts";
import type { AddedImage, ContinuationOptions, EarlierTraining } from "../../detection/continuation.ts";
import type { Detector } from "../../detection/detector.ts";
import { Training } from "../../detection/training.ts";
import { resolveTraining, type TrainingProgress, type TrainingSettings } from "../../detection/training_options.ts";
import { saveDetector } from "../../node/detector_file.ts";
import { SpillFile } from "../../node/files/spill.ts";
import { encodeRunImages, sortByFolder, type RunImages } from "../../node/run_images.ts";
import { TrainingFiles, type LoggedStep, type SavedTraining } from "../../node/training_files.ts";
import type { Device } from "../../runtime/device.ts";
import { DeviceLostError, DivergedError, InputError } from "../../runtime/errors.ts";
import { goodImages, type GoodImageOptions } from "../dataset.ts";
import { fewImagesRemark } from "../few_images.ts";
import { CONFIG_FILE, configurationOf } from "../flags/options.ts";
import { say } from "../terminal/say.ts";
import type { TrainingImage } from "../../detection/views.ts";
import { Bars } from "../terminal/bars.ts";
import { advised, half, wantsLess } from "../../node/recovery.ts";
import type { Region } from "../../detection/region.ts";
import { AwaitedSignals } from "../terminal/signals.ts";
import { rateRemarks } from "./rate_remarks.ts";

const HELD_OUT = "held out of training";
const TITLES = { suspects: "Comparison", calibration: "Calibration" };

/** Losses of one training stage, as they were read back. */
export interface LossCurve {
  readonly stage: string;
  readonly steps: number[];
  readonly values: number[];
}

export interface TrainedRun {
  readonly detector: Detector;
  readonly modelPath: string;
  readonly losses: readonly LossCurve[];
  readonly seconds: number;
  /** Images that were added to those of an earlier run. */
  readonly added: readonly AddedImage[];
  /** The calibration of that run; null if there is none. */
  readonly before: Calibration | null;
}

export interface TrainRunOptions {
  /** True to fail at the first image that cannot be read, instead of skipping, naming and counting it. */
  readonly strict: boolean;
  /** True to continue an earlier training in the same folder. */
  readonly resume: boolean;
  /** The part of each image that counts; null where all does. */
  readonly region: Region | null;
  /** The same as it is kept in the run, with what else was trained on. */
  readonly kept: Omit<RunImages, "folders">;
  /** The run that training goes on from, with the dataset's images. Default: none. */
  readonly from?: {
    /** Folders of its images. */
    readonly folders: readonly string[];
    readonly open: (
      device: Device,
      reading: GoodImageOptions,
      onWanted: (count: number) => void,
    ) => Promise<EarlierTraining>;
  };
  /** Steps between saved states. */
  readonly saveEvery: number;
  /** Gives the good images. Default: those of the dataset, decoded. */
  readonly images?: () => AsyncIterable<TrainingImage>;
  /** Stands before the titles of progress bars. */
  readonly label?: string;
  /** Called when a state was saved. */
  readonly onSaved?: () => Promise<void>;
  /** Tells the user what is known to do badly. Default: says it. */
  readonly remark?: (text: string) => void;
}

/** Ends a training by a signal, with its state saved where there was one to save. */
export class EndedTraining extends InputError {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals, kept: string) {
    super(`ended by ${signal} ${kept}`);
    this.signal = signal;
  }
}

/** The settings of a training, or of one that goes on from a run. */
const settingsOf = ({ share: _share, ...options }: ContinuationOptions): Promise<TrainingSettings> =>
  resolveTraining(options);

/** The batch of a training; 1 for a method without one. */
async function chooseBatch(given: ContinuationOptions): Promise<number> {
  const {
    options: { batch },
  } = await settingsOf(given);
  return typeof batch === "number" ? batch : 1;
}

/** Options of a training, with the function that opens its device. */
export interface TrainThroughOptions extends TrainRunOptions {
  readonly openDevice: () => Promise<Device>;
  /** Made anew for each beginning: real anomalies are read once. */
  readonly trainingOptions: () => Promise<ContinuationOptions>;
  /** True to start again with half the batch if the GPU runs out of memory. */
  readonly autoBatch: boolean;
  /** Advice where it does and `autoBatch` is not set, given the batch. Default: to set it. */
  readonly advice?: (batch: number) => string;
}

const adviceToHalve = (batch: number): string => `--set autoBatch=true starts again with half of ${batch}`;

/**
 * Trains as `trainRun` does, on as many devices as that takes: where one is lost, the next goes on from the last saved
 * state, to the same bits as if nothing had been.
 * @throws as `trainRun`; DeviceLostError where nothing more was saved between two losses; OutOfMemoryError or
 * TooLargeError where half the batch is not allowed, or no use
 */
export async function trainThrough(
  root: string,
  dataset: Dataset,
  run: string,
  { openDevice, trainingOptions, autoBatch, advice = adviceToHalve, ...begun }: TrainThroughOptions,
): Promise<TrainedRun> {
  const files = new TrainingFiles(run);
  let { resume } = begun;
  let batch: number | null = null;
  for (let before = -1; ;) {
    const device = await openDevice();
    const options = await trainingOptions();
    try {
      return await trainRun(
        device,
        root,
        dataset,
        run,
        { ...options, ...(batch !== null && { batch }) },
        { ...begun, resume },
      );
    } catch (error) {
      device.destroy(); // what is left of it would take memory
      const taken = (await files.saved())[0]?.taken ?? 0;
      const used = batch ?? (await chooseBatch(options));
      if (error instanceof DeviceLostError && taken > before) {
        say(`${error.message}; continuing after ${taken} steps on one`);
        [before, resume] = [taken, taken > 0];
      } else if (wantsLess(error) && autoBatch && used > 1 && !resume) {
        batch = half(used);
        say(`${(error as Error).message}; starting again with ${batch} images per step`);
        await files.forget();
      } else if (wantsLess(error) && !autoBatch) {
        throw advised(error as Error, advice(used));
      } else throw error;
    }
  }
}

/**
 * Trains a detector on a dataset's good images and writes `model.safetensors` and `train.jsonl` into the run's folder.
 * While it goes on, its state is saved there now and then, and when a signal ends it. A finished run that is there
 * stays as it is until the new one is finished: model and log are replaced together, and its report is put aside.
 * @throws InputError for what `Training` refuses; if the folder holds an unfinished training and `resume` is not set;
 * EndedTraining when a signal ended it
 */
export async function trainRun(
  device: Device,
  root: string,
  dataset: Dataset,
  run: string,
  options: ContinuationOptions,
  {
    strict,
    resume,
    region,
    kept,
    from,
    saveEvery,
    images: given,
    label = "",
    onSaved = () => Promise.resolve(),
    remark = say,
  }: TrainRunOptions,
): Promise<TrainedRun> {
  const files = new TrainingFiles(run);
  const saved = await files.saved();
  const [last] = saved;
  if (last && !resume) {
    const left = `a training that was ended after ${last.taken} steps`;
    throw new InputError(`${run} holds ${left}: --resume continues it; remove ${dirname(last.path)} to start again`);
  }
  let total = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
  const { input } = await settingsOf(options);
  const started = performance.now();
  const bars = new Bars(label);
  const spill = new SpillFile(run);
  const signals = new AwaitedSignals("saving after this step");
  const endIfAsked = (): void => {
    if (signals.came) throw new SignalCame(signals.came);
  };
  try {
    const reading = { strict, region, input };
    const images = given?.() ?? goodImages(root, dataset, reading);
    const onProgress = (progress: TrainingProgress): void => {
      if (progress.phase === "training") return; // the loop below tells
      if (progress.phase === "features") bars.show("Features", total).update(progress.done);
      else bars.show(TITLES[progress.phase], progress.total).update(progress.done);
      endIfAsked();
    };
    const earlier = await from?.open(device, reading, (count) => (total += count));
    const supplied = { ...options, spill, onProgress };
    const training = earlier
      ? await Training.from(earlier, images, supplied)
      : await Training.begin(device, images, supplied);
    earlier?.detector.release();
    const { calibrating, settings, remarks, suspects } = training;
    for (const { name, ratio } of suspects)
      remark(`left out, ${ratio.toPrecision(2)} times as far from the others as the middle good image: ${name}`);
    const few = earlier || given ? null : await fewImagesRemark(dataset.classes, settings);
    const rates = rateRemarks(calibrating, settings.falseReject, HELD_OUT);
    for (const text of [...remarks, ...(few === null ? [] : [few]), ...rates]) remark(text);
    if (last) {
      await resumeFrom(saved, training, files);
      say(`resumed after ${training.taken} steps`);
    }
    if (resume && !last) say(`${run} holds no unfinished training; a new one begins`);
    await files.beginLog(training.taken);
    const save = async (): Promise<void> => {
      await files.save(await training.save(), training.taken);
      await onSaved();
    };
    for await (const step of training.fit()) {
      const { title, loss, taken, model, models } = step;
      const bar = bars.show(models > 1 ? `${title}, ${model}/${models}` : title, step.steps);
      bar.update(step.step, loss === null ? undefined : `| loss ${loss.toPrecision(3)}`);
      if (loss !== null) await files.log(step);
      if (signals.came) await save();
      endIfAsked();
      if (taken % saveEvery === 0) await save();
    }
    const detector = await training.finish();
    const folders = sortByFolder(training.record, [...(from?.folders ?? []), root]);
    const modelPath = await saveDetector(detector, run, {
      weights: options.weights?.source ?? null,
      others: [
        await files.finishedLog(),
        [CONFIG_FILE, configurationOf(training.settings)],
        encodeRunImages({ ...kept, folders }),
      ],
    });
    await files.forget(); // last: until then --resume mends what a kill leaves between the files
    await putReportAside(run);
    return {
      detector,
      modelPath,
      losses: lossCurvesOf(await files.logged()),
      added: training.added,
      before: earlier?.detector.config.calibration ?? null,
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    const [good] = await files.saved();
    if (error instanceof SignalCame) {
      const kept = good
        ? `after ${good.taken} steps, kept in ${good.path}; the same command with --resume continues`
        : "before anything was saved";
      throw new EndedTraining(error.signal, kept);
    }
    if (!(error instanceof DivergedError)) throw error;
    const before = good ? `the last good state is ${good.path}` : "no state was saved before";
    throw new DivergedError(`${error.message}; ${before}`, { cause: error });
  } finally {
    signals.ignore();
    bars.end();
    await spill.close();
    await files.endLog();
  }
}

/** Renames the report of a run whose model was replaced: what it says is not of the new one. */
async function putReportAside(run: string): Promise<void> {
  const [report, aside] = [join(run, "report.html"), join(run, "report.old.html")];
  const isRenamed = await rename(report, aside).then(
    () => true,
    () => false,
  ); // there seldom is one
  if (isRenamed) say(`${report} was of the model before: it is ${aside} now`);
}

/**
 * Goes on from the last saved state; from the one before, if that is damaged.
 * @throws InputError if neither is one to go on from
 */
async function resumeFrom(saved: readonly SavedTraining[], training: Training, files: TrainingFiles): Promise<void> {
  for (const [i, state] of saved.entries()) {
    try {
      return training.resume(await files.read(state), state.path);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (i === saved.length - 1)
        throw new InputError(`${error.message}; to start again, remove ${dirname(state.path)}`, { cause: error });
      say(`${error.message}; trying ${saved[i + 1]!.path}`);
    }
  }
}

/** Losses by stage, of the model that is kept. */
export function lossCurvesOf(steps: readonly LoggedStep[]): LossCurve[] {
  const curves: LossCurve[] = [];
  for (const { run, runs, stage, step, loss } of steps) {
    if (run !== runs || loss === null) continue;
    if (curves.at(-1)?.stage !== stage) curves.push({ stage, steps: [], values: [] });
    curves.at(-1)!.steps.push(step);
    curves.at(-1)!.values.push(loss);
  }
  return curves;
}

/** A signal has asked to end. */
class SignalCame extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(signal);
    this.signal = signal;
  }
}
