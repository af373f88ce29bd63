import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Detector } from "../../detection/detector.ts";
import { loadDetector, modelPath } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { hashFile } from "../../node/files/hash.ts";
import { TrainingFiles } from "../../node/training_files.ts";
import type { Device } from "../../runtime/device.ts";
import { BigridError, DeviceLostError, DivergedError, InputError } from "../../runtime/errors.ts";
import { VERSION } from "../../runtime/version.ts";
import { evaluateRun } from "../evaluate/evaluate_run.ts";
import { say } from "../terminal/say.ts";
import { trainThrough } from "../train/train_run.ts";
import type { Failure } from "./comparison.ts";
import { optionsOf, type Contender } from "./contenders.ts";
import { renderGallery, type Exhibitor, type GalleryImage } from "./gallery.ts";
import { bytesOfFile, imagesPerSecond, measuredClass, measureMemory } from "./measure.ts";
import { Results, type Conditions, type Measured, type MeasuredMemory, type Trained } from "./results.ts";
import { signalOf, stoppable } from "./stoppable.ts";
import { featureKey, planContender, StoredFeatures, type ImageSource, type Planned } from "./stored_features.ts";

const RESULTS = "results.jsonl";
const FEATURES = "features";
const MOST_LOSSES = 3; // of the device, for one result

/** Everything that a comparison is told. */
export interface CompareOptions {
  readonly contenders: readonly Contender[];
  readonly seeds: readonly number[];
  /** Number of resamples of the test images, for the intervals; 0: none. */
  readonly resamples: number;
  /** Folder of results, features and runs. */
  readonly out: string;
  /** Steps between saved states of a training. */
  readonly saveEvery: number;
}

/** Folder of a method's run with a seed. */
export const runFolder = (out: string, method: string, seed: number): string =>
  join(out, "runs", `${method}-seed-${seed}`);

/** A contender that has features to learn from. */
interface Ready extends Planned {
  readonly features: StoredFeatures;
  readonly conditions: Conditions;
}

/**
 * The work of a comparison: trains each method with each seed and measures it, one after another. Each result is kept as
 * it comes; what is known under the same conditions is not measured again, and an interrupted training goes on.
 */
export class CompareRun implements AsyncDisposable {
  readonly failures: Failure[] = [];
  readonly #source: ImageSource;
  readonly #options: CompareOptions;
  readonly #results: Results;
  readonly #stored = new Map<string, StoredFeatures>();
  readonly #measured = new Map<string, Map<number, Measured>>();
  readonly #memory = new Map<string, MeasuredMemory>();
  /** Methods that are given up: what they failed of would meet other seeds too. */
  readonly #givenUp = new Set<string>();
  readonly #remarks = new Set<string>();
  readonly #unusable = new Set<string>();
  #device: Promise<Device> | null = null;

  private constructor(source: ImageSource, options: CompareOptions, results: Results) {
    [this.#source, this.#options, this.#results] = [source, options, results];
  }

  /** @throws InputError if the results in the folder are something else, or cannot be written */
  static async open(source: ImageSource, options: CompareOptions): Promise<CompareRun> {
    return new CompareRun(source, options, await Results.open(join(options.out, RESULTS)));
  }

  /** The device that works; a new one where the last one is gone. */
  device(): Promise<Device> {
    if (this.#device) return this.#device;
    const opened = openDevice();
    this.#device = opened;
    void opened.then(
      (device) => device.lost.then(() => (this.#device = this.#device === opened ? null : this.#device)),
      () => (this.#device = null),
    );
    return opened;
  }

  /** The results of a method by seed. */
  measuredOf(method: string): ReadonlyMap<number, Measured> {
    return this.#measured.get(method) ?? new Map();
  }

  /**
   * Measures everything that is not known yet. A method that fails is noted, and the others go on.
   * @throws InputError when a signal ended it
   */
  async measureAll(): Promise<void> {
    await this.#untilSignal(async () => {
      const ready = await this.#prepare();
      this.#tellChanges(ready);
      for (const seed of this.#options.seeds) for (const one of ready) await this.#attempt(one, seed);
    });
  }

  /**
   * The images that each method judges worst, as the models of the first seed see them.
   * @throws InputError when a signal ended it
   */
  async gallery(): Promise<readonly GalleryImage[]> {
    const { contenders, seeds, out } = this.#options;
    const { root, dataset, region } = this.#source;
    const [seed] = seeds as readonly [number];
    const exhibitors = contenders.flatMap(({ method: { name: method } }): Exhibitor[] => {
      const measured = this.measuredOf(method).get(seed);
      const load = async (): Promise<Detector> =>
        loadDetector(await this.device(), runFolder(out, method, seed), { sha256: measured!.model });
      return measured ? [{ method, measured, load }] : [];
    });
    const render = (): Promise<readonly GalleryImage[]> =>
      stoppable((requireGoingOn) => renderGallery(root, dataset.classes, exhibitors, region, requireGoingOn));
    return this.#untilSignal(() => this.#outlasting(render));
  }

  /** Runs work; says how much is kept when a signal ends it. */
  async #untilSignal<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const signal = signalOf(error);
      if (!signal) throw error;
      const { contenders, seeds, out } = this.#options;
      const known = [...this.#measured.values()].reduce((sum, bySeed) => sum + bySeed.size, 0);
      const kept = `${known} of ${contenders.length * seeds.length} results, kept in ${out}`;
      throw new InputError(`ended by ${signal} after ${kept}; the same command continues`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const features of this.#stored.values()) await features.close();
    await this.#results.close();
  }

  /** Plans the methods and completes the features that they see, once for all of those that see the same. */
  async #prepare(): Promise<Ready[]> {
    const { contenders } = this.#options;
    const images = this.#source.dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
    const groups = new Map<string, Planned[]>();
    for (const contender of contenders) {
      const device = await this.device();
      const planned = await planContender(device, contender, images).catch((error: unknown) =>
        this.#fail(contender, null, error),
      );
      if (!planned) continue;
      const key = featureKey(device, planned, this.#source);
      groups.set(key, [...(groups.get(key) ?? []), planned]);
    }
    const ready: Ready[] = [];
    for (const [key, group] of groups) {
      const stored = await this.#complete(group);
      if (!stored) continue;
      this.#stored.set(key, stored);
      for (const one of group) {
        // how many tiles there are is known when all images have been read
        const planned = one.settings.input.tiles
          ? await planContender(await this.device(), one, stored.trainingSamples)
          : one;
        ready.push({ ...planned, features: stored, conditions: await this.#conditionsOf(one, stored) });
      }
    }
    const order = contenders.map(({ method }) => method.name);
    return ready.sort((a, b) => order.indexOf(a.method.name) - order.indexOf(b.method.name));
  }

  async #complete(group: readonly Planned[]): Promise<StoredFeatures | null> {
    const title = `Features, ${group.map(({ method }) => method.title).join(", ")}`;
    const folder = join(this.#options.out, FEATURES);
    try {
      return await this.#outlasting(() =>
        stoppable(async (requireGoingOn) =>
          StoredFeatures.complete(folder, this.#source, await this.device(), group[0]!, {
            title,
            unusable: this.#unusable,
            requireGoingOn,
          }),
        ),
      );
    } catch (error) {
      for (const one of group) this.#fail(one, null, error);
      return null;
    }
  }

  async #conditionsOf(planned: Planned, { images }: StoredFeatures): Promise<Conditions> {
    const { description: adapter } = (await this.device()).adapter;
    const { regionHash: region } = this.#source;
    const { resamples } = this.#options;
    return { version: VERSION, adapter, images, region, options: optionsOf(planned), resamples };
  }

  /** Says which kept results no longer hold, and why. */
  #tellChanges(ready: readonly Ready[]): void {
    const counts = new Map<string, number>();
    for (const { method, conditions } of ready) {
      for (const seed of this.#options.seeds) {
        const changed = this.#results.changed(method.name, seed, conditions).join(" and ");
        if (changed !== "") counts.set(changed, (counts.get(changed) ?? 0) + 1);
      }
    }
    for (const [changed, count] of counts) {
      const results = count === 1 ? "1 result was" : `${count} results were`;
      say(`${results} kept under other conditions (changed: ${changed}), and will be measured again`);
    }
  }

  /** Measures a method with a seed; notes it if that fails. */
  async #attempt(one: Ready, seed: number): Promise<void> {
    const { name } = one.method;
    if (this.#givenUp.has(name)) return;
    try {
      const measured = await this.#outlasting(() => this.#measure(one, seed));
      this.#measured.set(name, new Map([...this.measuredOf(name), [seed, measured]]));
    } catch (error) {
      this.#fail(one, seed, error);
      // another seed may not diverge; whatever else it is, it meets all seeds alike
      if (!(error instanceof DivergedError)) this.#givenUp.add(name);
      (await this.#device)?.destroy(); // what is left of it would take memory
    }
  }

  /** Does some work, which goes on where it was, on as many devices as that takes. */
  async #outlasting<T>(work: () => Promise<T>): Promise<T> {
    for (let losses = 1; ; losses++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof DeviceLostError) || losses === MOST_LOSSES) throw error;
        say(`${error.message}; going on with a new one`);
      }
    }
  }

  /**
   * Notes that a method failed.
   * @throws the error itself if it is a signal's
   */
  #fail({ method }: Contender, seed: number | null, error: unknown): null {
    if (signalOf(error)) throw error;
    const { message } = error as Error;
    const reason = error instanceof BigridError ? message : `unexpected error: ${message}`;
    this.failures.push({ method: method.name, seed, reason });
    say(`${method.title}${seed === null ? "" : `, seed ${seed}`} failed: ${reason}`);
    return null;
  }

  async #measure(one: Ready, seed: number): Promise<Measured> {
    const { method, conditions, features, extents } = one;
    const { seeds, out, resamples } = this.#options;
    const { root, region, strict } = this.#source;
    const run = runFolder(out, method.name, seed);
    const isKept = seed === seeds[0]; // its model is, for the gallery and for use
    const reached = this.#results.reached(method.name, seed, conditions);
    const { measured: known } = reached;
    if (known && (!isKept || (await hashModel(run)) === known.model)) return known;
    const hasModel = reached.trained !== undefined && (await hashModel(run)) === reached.trained.model;
    const memory = this.#memory.get(method.name) ?? (await measureMemory(await this.device(), one));
    this.#memory.set(method.name, memory);
    const [trained, detector] = hasModel
      ? [reached.trained, await loadDetector(await this.device(), run, { sha256: reached.trained.model })]
      : await this.#train(one, seed, run, reached.training ?? null);
    try {
      return await stoppable(async (requireGoingOn) => {
        const evaluated = await evaluateRun(detector, root, features.dataset, {
          strict,
          region,
          resamples,
          inspect: features.inspect(detector, extents, requireGoingOn),
          title: `${method.title}, seed ${seed}: evaluation`,
        });
        const measured: Measured = {
          classes: evaluated.classes.map((evaluatedClass) => measuredClass(detector, evaluatedClass)),
          seconds: { features: features.trainingSeconds, training: trained.seconds, evaluation: evaluated.seconds },
          imagesPerSecond: await imagesPerSecond(detector, root, features.dataset, region, requireGoingOn),
          memory,
          modelBytes: await bytesOfFile(await modelPath(run)),
          model: trained.model,
        };
        await this.#results.add(method.name, seed, conditions, { trained, measured });
        if (!isKept) await rm(run, { recursive: true, force: true });
        return measured;
      });
    } finally {
      detector.release();
    }
  }

  /** Says a remark of a training, once: other trainings on the same images make it too. */
  #remark(text: string): void {
    if (!this.#remarks.has(text)) say(text);
    this.#remarks.add(text);
  }

  /** @param begun seconds that an interrupted training under the same conditions has taken; null if there is none */
  async #train(
    { method, options, settings, conditions, features }: Ready,
    seed: number,
    run: string,
    begun: number | null,
  ): Promise<readonly [Trained, Detector]> {
    const resume = begun !== null && (await new TrainingFiles(run).saved()).length > 0;
    const before = resume ? begun : 0;
    if (!resume) {
      await rm(run, { recursive: true, force: true }); // of other conditions, if there is one
      await this.#results.add(method.name, seed, conditions, { training: 0 });
    }
    const started = performance.now();
    const seconds = (): number => before + (performance.now() - started) / 1000;
    const { strict, region, kept, root } = this.#source;
    const { detector, modelPath: path } = await trainThrough(root, features.dataset, run, {
      openDevice: () => this.device(),
      trainingOptions: () => Promise.resolve({ ...options, seed }),
      autoBatch: false,
      advice: (batch) => `--set ${method.name}.batch=${Math.ceil(batch / 2)} takes less`,
      strict,
      resume,
      region,
      kept,
      saveEvery: this.#options.saveEvery,
      images: () => features.trainingImages({ settings }),
      label: `${method.title}, seed ${seed}: `,
      remark: (text) => this.#remark(text),
      onSaved: () => this.#results.add(method.name, seed, conditions, { training: seconds() }),
    });
    const trained: Trained = { seconds: seconds(), model: await hashFile(path) };
    await this.#results.add(method.name, seed, conditions, { trained });
    return [trained, detector];
  }
}

/** SHA-256 of a run's model; null if it has none. */
const hashModel = (run: string): Promise<string | null> =>
  modelPath(run)
    .then((path) => hashFile(path))
    .catch(() => null);
