import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { parseJson, RECORD } from "../io/json.ts";
import type { TrainingStep } from "../detection/training_options.ts";
import { ensureFolder, writeFileAtomic } from "./files/files.ts";
import { readBytes, readText } from "./files/read.ts";
import { LineFile } from "./files/line_file.ts";

const FOLDER = "training_states";
const LOG = "train.jsonl";
const KEPT = 2;
const DIGITS = 8; // so that names sort by steps
const NAME = /^(\d{8})\.safetensors$/;

/** A training that was saved in a run's folder. */
export interface SavedTraining {
  readonly path: string;
  /** Steps it had taken. */
  readonly taken: number;
}

/** A line of the log. Which model it is of, of how many, is `run` of `runs` there. */
export interface LoggedStep extends Omit<TrainingStep, "secondsLeft" | "model" | "models"> {
  readonly run: number;
  readonly runs: number;
}

/**
 * Files of a training in a run's folder. An unfinished training has a subfolder with its last saved states and its log,
 * one line for each loss. A finished training's log lies beside its model; an unfinished one leaves it alone.
 */
export class TrainingFiles {
  readonly #run: string;
  #log: LineFile | null = null;

  constructor(run: string) {
    this.#run = run;
  }

  /** Saved trainings, the last one first. */
  async saved(): Promise<SavedTraining[]> {
    const names = await readdir(join(this.#run, FOLDER)).catch(() => []);
    const found = names.flatMap((name) => {
      const [, taken] = NAME.exec(name) ?? [];
      return taken ? [{ path: join(this.#run, FOLDER, name), taken: Number(taken) }] : [];
    });
    return found.sort((a, b) => b.taken - a.taken);
  }

  /**
   * Saves a state atomically, keeps the one before it, and removes older ones.
   * @throws InputError if it cannot be written; earlier states are untouched then
   */
  async save(state: Uint8Array, taken: number): Promise<string> {
    await ensureFolder(join(this.#run, FOLDER));
    const path = join(this.#run, FOLDER, `${String(taken).padStart(DIGITS, "0")}.safetensors`);
    await writeFileAtomic(path, state);
    for (const { path: old } of (await this.saved()).slice(KEPT)) await rm(old, { force: true });
    return path;
  }

  /** The bytes of a saved training. */
  read({ path }: SavedTraining): Promise<Uint8Array> {
    return readBytes(path);
  }

  /** Removes all saved states and the log of the unfinished training. */
  async forget(): Promise<void> {
    await this.endLog();
    await rm(join(this.#run, FOLDER), { recursive: true, force: true });
  }

  /**
   * Starts the log, with the lines of an earlier part of this training.
   * @throws InputError if it cannot be written
   */
  async beginLog(taken: number): Promise<void> {
    await this.endLog();
    const path = join(this.#run, FOLDER, LOG);
    const kept = taken === 0 ? [] : (await stepsIn(path)).filter((step) => step.taken <= taken);
    await ensureFolder(join(this.#run, FOLDER));
    await writeFileAtomic(path, kept.map((step) => `${JSON.stringify(step)}\n`).join(""));
    this.#log = await LineFile.open(path);
  }

  /** Closes the log. Removes it if no state was saved, as the training cannot be resumed then. */
  async endLog(): Promise<void> {
    if (!this.#log) return;
    await this.#log.close();
    this.#log = null;
    if ((await this.saved()).length > 0) return;
    await rm(join(this.#run, FOLDER, LOG), { force: true });
    await rmdir(join(this.#run, FOLDER)).catch(() => undefined); // it holds something of others
  }

  /** Name and text of the log, to be kept with the finished model. */
  async finishedLog(): Promise<readonly [name: string, text: string]> {
    return [LOG, await readText(join(this.#run, FOLDER, LOG))];
  }

  /** Reads a finished training's log; empty if there is none. Skips lines that are no step. */
  logged(): Promise<LoggedStep[]> {
    return stepsIn(join(this.#run, LOG));
  }

  /**
   * Adds a step to the log, once the log has begun.
   * @throws InputError if it cannot be written
   */
  async log({ secondsLeft: _passing, model: run, models: runs, ...step }: TrainingStep): Promise<void> {
    const line: LoggedStep = { ...step, run, runs };
    await this.#log!.append(`${JSON.stringify(line)}\n`);
  }
}

/** The steps in a log; skips other lines, such as one that was cut off when the training ended. */
async function stepsIn(path: string): Promise<LoggedStep[]> {
  const text = await readText(path).catch(() => "");
  return text.split("\n").flatMap((line): LoggedStep[] => {
    try {
      const step: unknown = parseJson(line, RECORD);
      return isStep(step) ? [step] : [];
    } catch {
      return [];
    }
  });
}

function isStep(value: unknown): value is LoggedStep {
  const { stage, step, steps, epoch, loss, taken, run, runs } = (value ?? {}) as Partial<
    Record<keyof LoggedStep, unknown>
  >;
  return (
    typeof stage === "string" &&
    (loss === null || Number.isFinite(loss)) &&
    [step, steps, epoch, taken, run, runs].every(Number.isSafeInteger)
  );
}
