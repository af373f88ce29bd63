import { isObject, isSha256, isWhole } from "../../io/json.ts";
import { Journal, readEntries } from "../../node/files/journal.ts";
import type { Resampled } from "../../metrics/bootstrap.ts";
import { eachMetric, METRICS, type MetricName, type Metrics } from "../../metrics/metrics.ts";
import { InputError } from "../../runtime/errors.ts";

const FORMAT = { format: "bigrid-comparison", version: 1 };

/** Everything that decides on a result, besides method and seed. What differs from a kept result is named to the user. */
export interface Conditions {
  /** Version of this program. */
  readonly version: string;
  readonly adapter: string;
  /** SHA-256 over the images and masks that are used: paths, sizes, times and labels. */
  readonly images: string;
  /** The part of each image that counts. */
  readonly region: { readonly roi: string | null; readonly ignore: string | null };
  readonly options: Readonly<Record<string, unknown>>;
  readonly resamples: number;
}

const CONDITIONS: Readonly<Record<keyof Conditions, string>> = {
  version: "bigrid's version",
  adapter: "the adapter",
  images: "the images",
  region: "the region of interest",
  options: "the options",
  resamples: "--resamples",
};

/** A class as one model was measured on it. */
export interface MeasuredClass {
  readonly name: string;
  readonly metrics: Metrics;
  /** Each metric in each resample, as `packResampled` has them; null without resamples. */
  readonly resampled: EncodedResamples | null;
  /** The reason why some metrics are undefined; null if all are defined. */
  readonly gap: string | null;
  /** The largest error of a pixel metric; 0 where pixels were not streamed. */
  readonly error: number;
  /** The test images, with calibrated scores: 0.5 is the threshold. */
  readonly images: readonly MeasuredImage[];
}

/** A test image's score. */
export interface MeasuredImage {
  readonly path: string;
  readonly defect: string;
  readonly defective: boolean;
  readonly score: number;
}

/** Bytes of GPU buffers at most, by dry runs. */
export interface MeasuredMemory {
  readonly training: number;
  readonly inference: number;
}

/** One trained model's results. */
export interface Measured {
  readonly classes: readonly MeasuredClass[];
  readonly seconds: {
    /** Spent on the features of the training images, whoever computed them first. */
    readonly features: number;
    /** From there to the finished model, all parts of an interrupted training together. */
    readonly training: number;
    readonly evaluation: number;
  };
  readonly imagesPerSecond: number;
  readonly memory: MeasuredMemory;
  readonly modelBytes: number;
  /** SHA-256 of the model's file. */
  readonly model: string;
}

/** A training that has ended, whose model is in its run. */
export interface Trained {
  readonly seconds: number;
  readonly model: string;
}

/** The point that a method has come to with a seed: the last entry counts. */
interface Entry {
  readonly method: string;
  readonly seed: number;
  readonly conditions: Conditions;
  /** Seconds of a training that goes on. */
  readonly training?: number;
  readonly trained?: Trained;
  readonly measured?: Measured;
}

/** The point that a method has come to, under the same conditions; nothing where it has not begun. */
export type Reached = Pick<Entry, "training" | "trained" | "measured">;

/**
 * The results of a comparison, kept in a file as they come: what was added is there after a kill. Only one process at a
 * time can have them open.
 */
export class Results {
  readonly #journal: Journal<Entry>;
  readonly #entries = new Map<string, Entry>();

  private constructor(journal: Journal<Entry>) {
    this.#journal = journal;
  }

  /** @throws InputError if the file holds something else, cannot be written, or another process has it open */
  static async open(path: string): Promise<Results> {
    const { journal, header } = await Journal.open<object, Entry>(path, FORMAT);
    const results = new Results(journal);
    try {
      if (JSON.stringify(header) !== JSON.stringify(FORMAT))
        throw new InputError(
          `${path} is not from a comparison of this version of bigrid: name another folder, or remove it to start again`,
        );
      for await (const entry of readEntries<Entry>(path)) {
        if (!isEntry(entry)) throw new InputError(`${path} was changed by another program: remove it to start again`);
        results.#note(entry);
      }
      return results;
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /** The point that a method has come to with a seed; nothing under other conditions. */
  reached(method: string, seed: number, conditions: Conditions): Reached {
    const entry = this.#entries.get(keyOf(method, seed));
    return entry && changesOf(entry.conditions, conditions).length === 0 ? entry : {};
  }

  /** The conditions that have changed since a result was kept, in words; none if there is no result, or it holds. */
  changed(method: string, seed: number, conditions: Conditions): readonly string[] {
    const entry = this.#entries.get(keyOf(method, seed));
    return entry ? changesOf(entry.conditions, conditions) : [];
  }

  /** Keeps, durably, what a method has come to. */
  async add(method: string, seed: number, conditions: Conditions, reached: Reached): Promise<void> {
    const entry: Entry = { method, seed, conditions, ...reached };
    await this.#journal.append([entry]);
    this.#note(entry);
  }

  async close(): Promise<void> {
    await this.#journal.close();
  }

  #note(entry: Entry): void {
    this.#entries.set(keyOf(entry.method, entry.seed), entry);
  }
}

const keyOf = (method: string, seed: number): string => `${method} ${seed}`;

const changesOf = (before: Conditions, now: Conditions): string[] =>
  Object.entries(CONDITIONS)
    .filter(([name]) => textOf(before[name as keyof Conditions]) !== textOf(now[name as keyof Conditions]))
    .map(([, words]) => words);

/** A value as text, whatever the order of its fields. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );

function isEntry(value: unknown): value is Entry {
  if (!isObject(value)) return false;
  const { method, seed, conditions, training, trained, measured } = value;
  const isTrained = isObject(trained) && Number.isFinite(trained["seconds"]) && isSha256(trained["model"]);
  const isMeasured = isObject(measured) && Array.isArray(measured["classes"]) && isSha256(measured["model"]);
  return (
    typeof method === "string" &&
    isWhole(seed) &&
    isObject(conditions) &&
    (training === undefined || Number.isFinite(training)) &&
    (trained === undefined || isTrained) &&
    (measured === undefined || isMeasured)
  );
}

/** Resamples as text: f32 values, NaN where undefined, little-endian, in base64. */
export type EncodedResamples = Readonly<Record<MetricName, string>>;

const BYTES = 4;

export function packResampled(resampled: Resampled): EncodedResamples {
  return eachMetric((name) => {
    const bytes = Buffer.alloc(BYTES * resampled[name].length);
    resampled[name].forEach((value, i) => bytes.writeFloatLE(value ?? NaN, BYTES * i));
    return bytes.toString("base64");
  });
}

export function unpackResampled(encoded: EncodedResamples): Resampled {
  return eachMetric((name) => {
    const bytes = Buffer.from(encoded[name], "base64");
    return Array.from({ length: bytes.length / BYTES }, (_, i) => {
      const value = bytes.readFloatLE(BYTES * i);
      return Number.isNaN(value) ? null : value;
    });
  });
}

/** True if a class has any figure. */
export const isDefined = (metrics: Metrics): boolean => METRICS.some((name) => metrics[name] !== null);
