import { batchSizes } from "../../node/inspection/batch_sizes.ts";

/** An image that waits for its batch. */
export interface Queued {
  /** Pixels by its header: what it takes in memory. */
  readonly pixels: number;
}

/** Inspects images in batches: a model. */
export interface Batcher<T, R> {
  /** Inspects images; one result for each, in their order. */
  inspect(batch: readonly T[]): Promise<readonly R[]>;
}

/** Options of a queue. */
export interface QueueOptions {
  /** Images that may wait. */
  readonly most: number;
  /** Images per batch. */
  readonly batch: number;
  /** Called with the number of images of each batch. */
  readonly onBatch: (images: number) => void;
}

/** The queue has no room for the images of a request. */
export class QueueFullError extends Error {
  override name = "QueueFullError";
}

interface Entry<T, R> {
  readonly batcher: Batcher<T, R>;
  readonly task: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

const LANES = 2; // batches at a time: while the GPU computes one, the next is decoded
const BATCH_PIXELS = 1 << 26; // of a batch's images together: 256 MB; a larger image is alone
const RECENT = 0.2; // weight of the latest batch in the mean time of an image

/** Images that wait, first come, first served; each batch is of one model. */
export class ImageQueue<T extends Queued, R> {
  readonly #options: QueueOptions;
  readonly #sizes: readonly number[];
  readonly #waiting: Entry<T, R>[] = [];
  #running = 0;
  #millisecondsPerImage = 0;
  #onIdle: (() => void)[] = [];

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#sizes = batchSizes(options.batch);
  }

  /** Images that wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** True if no image more can wait. */
  get isFull(): boolean {
    return this.length >= this.#options.most;
  }

  /** Whole seconds, at least 1, after which what waits now should be done. */
  get secondsAhead(): number {
    return Math.max(1, Math.ceil((this.length * this.#millisecondsPerImage) / 1000));
  }

  /**
   * Adds images, all of them or none.
   * @param signal takes them out again; what is being inspected goes on, for nobody
   * @returns their results, in their order; rejects with the signal's reason
   * @throws QueueFullError if they do not fit
   */
  async add(batcher: Batcher<T, R>, tasks: readonly T[], signal: AbortSignal): Promise<R[]> {
    signal.throwIfAborted();
    if (this.length + tasks.length > this.#options.most)
      throw new QueueFullError(`${this.length} images wait, and no more than ${this.#options.most} may`);
    const entries = new Set<Entry<T, R>>();
    const results = tasks.map(
      (task) => new Promise<R>((resolve, reject) => entries.add({ batcher, task, resolve, reject })),
    );
    const leave = (): void => {
      for (const entry of entries) {
        const at = this.#waiting.indexOf(entry);
        if (at >= 0) this.#waiting.splice(at, 1);
        entry.reject(signal.reason);
      }
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(...entries);
    this.#begin();
    try {
      return await Promise.all(results);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Resolves when nothing waits and nothing is being inspected. */
  async idle(): Promise<void> {
    if (this.#running > 0 || this.length > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #begin(): void {
    while (this.#running < LANES && this.length > 0) {
      this.#running++;
      void this.#inspect(this.#take()).finally(() => {
        this.#running--;
        this.#begin();
        if (this.#running === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
      });
    }
  }

  /** Takes the next batch: the oldest image's model's, in their order. */
  #take(): Entry<T, R>[] {
    const [{ batcher }] = this.#waiting as [Entry<T, R>];
    const fitting: Entry<T, R>[] = [];
    let pixels = 0;
    for (const entry of this.#waiting) {
      if (entry.batcher !== batcher) continue;
      pixels += entry.task.pixels;
      if (fitting.length === this.#options.batch || (fitting.length > 0 && pixels > BATCH_PIXELS)) break;
      fitting.push(entry);
    }
    const taken = fitting.slice(
      0,
      this.#sizes.find((size) => size <= fitting.length),
    );
    for (const entry of taken) this.#waiting.splice(this.#waiting.indexOf(entry), 1);
    return taken;
  }

  async #inspect(batch: readonly Entry<T, R>[]): Promise<void> {
    const began = performance.now();
    this.#options.onBatch(batch.length);
    try {
      const results = await batch[0]!.batcher.inspect(batch.map(({ task }) => task));
      batch.forEach(({ resolve }, i) => resolve(results[i]!));
      const each = (performance.now() - began) / batch.length;
      this.#millisecondsPerImage +=
        (this.#millisecondsPerImage === 0 ? 1 : RECENT) * (each - this.#millisecondsPerImage);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
