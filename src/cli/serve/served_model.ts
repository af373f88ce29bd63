import type { Detector, DetectorConfig } from "../../detection/detector.ts";
import type { Region } from "../../detection/region.ts";
import { judge, scoreImages, type Failure, type Scored, type VerdictLimits } from "../../node/inspection/judged.ts";
import { closePicture, type Picture } from "../../io/image.ts";
import { decodeImageBytes, openPictureBytes, type Decoded } from "../../node/images.ts";
import { batchSizes } from "../../node/inspection/batch_sizes.ts";
import { KeptDetector } from "../../node/inspection/kept_detector.ts";
import { PICTURES } from "../../node/inspection/pictures.ts";
import type { Result } from "../../node/inspection/result.ts";
import { HttpError } from "./http_error.ts";
import type { Batcher } from "./queue.ts";

/** An image of a request, and what is asked of it. */
export interface ImageTask {
  /** Its name, for the result and errors. */
  readonly image: string;
  readonly bytes: Uint8Array;
  /** By its header; 0 if that cannot be read. */
  readonly pixels: number;
  /** Scores and thresholds of its verdict. */
  readonly limits: VerdictLimits;
  /** True for a heat map, as base64 of a PNG in the place of its path. */
  readonly heat: boolean;
}

/** The result for an image, and why there is no score. */
export interface TaskResult {
  readonly result: Result;
  readonly failure: Failure | null;
}

/** Options of a served model. */
export interface ServedModelOptions {
  readonly name: string;
  /** Loads the detector on a new device. */
  readonly open: () => Promise<Detector>;
  /** The part of each picture that counts; null: all of it. */
  readonly region: Region | null;
  /** Images per batch. */
  readonly batch: number;
  /** Pixels that an image may have. */
  readonly maxPixels: number;
  /** Called with a message when a new device takes over. */
  readonly onNotice: (text: string) => void;
}

/** A detector on one device, and the batches that use it. */
interface Opened {
  readonly kept: Promise<KeptDetector>;
  users: number;
  isDropped: boolean;
}

/**
 * A model that is served: its detector, which is loaded again on a new device if its device is lost, and again with the
 * next batch if that failed.
 */
export class ServedModel implements Batcher<ImageTask, TaskResult> {
  readonly name: string;
  readonly config: DetectorConfig;
  /** Bytes that its device had allocated after the last batch. */
  deviceBytes: number;
  /** Devices that were replaced. */
  replaced = 0;
  readonly #options: ServedModelOptions;
  #opened: Opened | null;

  private constructor(options: ServedModelOptions, detector: Detector) {
    this.name = options.name;
    this.config = detector.config;
    this.deviceBytes = detector.device.memory().bytes;
    this.#options = options;
    this.#opened = this.#keep(Promise.resolve(detector));
  }

  /**
   * Loads a model and compiles what its batches need.
   * @throws what `open` does
   */
  static async load(options: ServedModelOptions): Promise<ServedModel> {
    const detector = await options.open();
    const sizes = detector.config.input.tiles ? [options.batch] : batchSizes(options.batch);
    for (const size of sizes) await detector.prepare(size, { regions: options.region !== null });
    return new ServedModel(options, detector);
  }

  /**
   * Inspects images as one batch.
   * @throws HttpError if the model cannot inspect now
   */
  async inspect(tasks: readonly ImageTask[]): Promise<TaskResult[]> {
    const { region, maxPixels } = this.#options;
    const decode = this.config.input.tiles ? openPictureBytes : decodeImageBytes;
    const decoded = await Promise.all(
      tasks.map((task) => decodedOrNot(task, () => decode(task.bytes, task.image, { maxPixels }))),
    );
    try {
      const scored = await this.#use((detector, most) => scoreImages(detector, decoded, most, region));
      const results: TaskResult[] = [];
      for (const one of scored) results.push(await this.#resultOf(one));
      return results;
    } finally {
      for (const one of decoded) if ("image" in one) await closePicture(one.image);
    }
  }

  /** Gives its device back, once no batch uses it. */
  async close(): Promise<void> {
    const opened = this.#opened;
    if (opened) await this.#drop(opened);
  }

  async #resultOf(scored: Scored<ImageTask>): Promise<TaskResult> {
    const { image, limits, heat } = scored.item;
    if ("failure" in scored) {
      const { failure, reason } = scored;
      return { result: { image, verdict: "unreadable", reason }, failure };
    }
    const { input, inspection } = scored;
    const { result, found } = judge(image, input, inspection, limits);
    if (!heat) return { result, failure: null };
    const png: Uint8Array[] = [];
    for await (const part of PICTURES.heatMap(input.image, inspection, found)) png.push(part);
    return { result: { ...result, pictures: { heatMap: Buffer.concat(png).toString("base64") } }, failure: null };
  }

  async #use<T>(work: (detector: Detector, most: number) => Promise<T>): Promise<T> {
    const opened = (this.#opened ??= this.#keep(this.#options.open()));
    opened.users++;
    try {
      const kept = await opened.kept;
      return await kept.use(async (detector, most) => {
        const done = await work(detector, most);
        this.deviceBytes = detector.device.memory().bytes;
        return done;
      });
    } catch (error) {
      opened.isDropped = true;
      throw new HttpError(503, `the model ${this.name} cannot inspect now: ${(error as Error).message}`, {
        "retry-after": "1",
      });
    } finally {
      opened.users--;
      if (opened.isDropped) await this.#drop(opened);
    }
  }

  #keep(detector: Promise<Detector>): Opened {
    const { batch, open, onNotice, name } = this.#options;
    const notice = (text: string): void => {
      this.replaced++;
      onNotice(`${name}: ${text}`);
    };
    const kept = detector.then((first) => new KeptDetector(first, open, batch, true, notice));
    kept.catch(() => undefined); // thrown where it is used
    return { kept, users: 0, isDropped: false };
  }

  /** Uses a device no more; the last batch that does so destroys it. */
  async #drop(opened: Opened): Promise<void> {
    opened.isDropped = true;
    if (this.#opened === opened) this.#opened = null;
    if (opened.users > 0) return;
    const destroyed = opened.kept.then((kept) => kept.use(async ({ device }) => device.destroy()));
    await destroyed.catch(() => undefined); // there is none
  }
}

/** Decodes an image, or has the error in its place. */
async function decodedOrNot(task: ImageTask, decode: () => Promise<Picture>): Promise<Decoded<ImageTask, Picture>> {
  try {
    return { item: task, image: await decode() };
  } catch (error) {
    return { item: task, error: error as Error };
  }
}
