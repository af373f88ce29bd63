import { appendFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseJson, RECORD } from "../io/json.ts";
import type { TrainingStep } from "../models/training.ts";
import { InputError } from "../runtime/errors.ts";
import { readBytes, reasonOf, writeFileAtomic, writeReasonOf } from "./files.ts";

const FOLDER = "checkpoints";
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

/** A line of the log. */
export type LoggedStep = Omit<TrainingStep, "secondsLeft">;

/** What a training leaves in a run's folder while it goes on: the last saved states, and a line for every loss that was read. */
export class TrainingFiles {
  readonly #run: string;

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
   * Keeps a training beside the one before, as a whole or not at all, and forgets older ones.
   * @throws InputError if it cannot be written; what was saved before is untouched
   */
  async save(state: Uint8Array, taken: number): Promise<string> {
    const folder = join(this.#run, FOLDER);
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw new InputError(`cannot make the folder ${folder}: ${reasonOf(error)}`, { cause: error });
    });
    const path = join(folder, `${String(taken).padStart(DIGITS, "0")}.safetensors`);
    await writeFileAtomic(path, state);
    for (const { path: old } of (await this.saved()).slice(KEPT)) await rm(old, { force: true });
    return path;
  }

  /** The bytes of a saved training. */
  read({ path }: SavedTraining): Promise<Uint8Array> {
    return readBytes(path);
  }

  /** Forgets all saved trainings. */
  async forget(): Promise<void> {
    await rm(join(this.#run, FOLDER), { recursive: true, force: true });
  }

  /** Starts the log, with the lines of an earlier part of this training. */
  async beginLog(taken: number): Promise<void> {
    const kept = taken === 0 ? [] : (await this.logged()).filter((step) => step.taken <= taken);
    await writeFileAtomic(join(this.#run, LOG), kept.map((step) => `${JSON.stringify(step)}\n`).join(""));
  }

  /** What the log says, nothing if there is none; a line that is no step, such as one that was cut off by the training's end, is left out. */
  async logged(): Promise<LoggedStep[]> {
    const text = await readFile(join(this.#run, LOG), "utf8").catch(() => "");
    return text.split("\n").flatMap((line): LoggedStep[] => {
      try {
        const step: unknown = parseJson(line, RECORD);
        return isStep(step) ? [step] : [];
      } catch {
        return [];
      }
    });
  }

  /**
   * Writes down a step whose loss was read.
   * @throws InputError if that is not possible
   */
  async log({ secondsLeft: _passing, ...step }: TrainingStep): Promise<void> {
    const path = join(this.#run, LOG);
    await appendFile(path, `${JSON.stringify(step)}\n`).catch((error: unknown) => {
      throw new InputError(`cannot write ${path}: ${writeReasonOf(error)}`, { cause: error });
    });
  }
}

function isStep(value: unknown): value is LoggedStep {
  const { stage, step, steps, epoch, loss, taken, run, runs } = (value ?? {}) as Partial<Record<keyof LoggedStep, unknown>>;
  return typeof stage === "string" && (loss === null || Number.isFinite(loss)) && [step, steps, epoch, taken, run, runs].every(Number.isSafeInteger);
}
