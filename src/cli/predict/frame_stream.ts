import { EventEmitter, once } from "node:events";
import type { Readable } from "node:stream";
import type { FrameSplitter, SplitFrame } from "../../io/frames.ts";
import type { DecodedImage } from "../../io/image.ts";
import { reasonOf } from "../../node/files/reasons.ts";
import type { Decoded } from "../../node/images.ts";
import { batchSizes } from "../../node/inspection/batch_sizes.ts";
import { AHEAD_BYTES, type ListedImage } from "../../node/inspection/pipeline.ts";
import { InputError } from "../../runtime/errors.ts";

/** A frame, by its place in its stream. */
export interface Frame extends ListedImage {
  /** From 1; frames that are left out count. */
  readonly frame: number;
  /** When its last byte was read: ISO 8601, UTC. */
  readonly time: string;
}

/** A kind of frames, and how they are decoded. */
export interface FrameForm {
  readonly splitter: FrameSplitter;
  /** The bytes that a frame takes when it is decoded. */
  readonly decodedBytes: (bytes: Uint8Array) => number;
  /** @param name the frame's, for errors */
  readonly decode: (bytes: Uint8Array, name: string) => Promise<DecodedImage>;
}

/** Options of a stream of frames. */
export interface FrameStreamOptions {
  /** The stream's, for messages. */
  readonly name: string;
  /** The most frames that are handed out at a time. */
  readonly batch: number;
  /** True to keep only the newest frame that waits; false to keep all, and to read no further meanwhile. */
  readonly latest: boolean;
  /** Called once, when there is something between frames that is none. */
  readonly onForeign: () => void;
}

interface Waiting {
  readonly bytes: number;
  readonly decoded: () => Promise<Decoded<Frame>>;
}

const DIGITS = 8; // of a number in a picture's name: 38 days at 30 frames a second

/**
 * The frames of a stream, handed out in batches of what waits. Frames that wait take at most AHEAD_BYTES together, or
 * are one: the stream is not read any further then, or, with `latest`, the newest one takes the place of the last.
 */
export class FrameStream implements AsyncIterable<readonly Decoded<Frame>[]> {
  /** Frames that newer ones took the place of. */
  dropped = 0;
  readonly #source: Readable;
  readonly #form: FrameForm;
  readonly #options: FrameStreamOptions;
  readonly #sizes: readonly number[];
  readonly #changes = new EventEmitter();
  readonly #waiting: Waiting[] = [];
  #received = 0;
  #began: number | null = null;
  #isForeignSaid = false;
  #isOver = false;
  #isEnded = false;
  #failure: InputError | null = null;

  constructor(source: Readable, form: FrameForm, options: FrameStreamOptions) {
    this.#source = source;
    this.#form = form;
    this.#options = options;
    this.#sizes = options.latest ? [1] : batchSizes(options.batch);
    void this.#read();
  }

  /** The stream's, for messages. */
  get name(): string {
    return this.#options.name;
  }

  /** Frames that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Bytes so far that belong to no frame. */
  get foreign(): number {
    return this.#form.splitter.skipped;
  }

  /** Seconds since the first frame was handed out; 0 before. */
  get seconds(): number {
    return this.#began === null ? 0 : (performance.now() - this.#began) / 1000;
  }

  /** Ends it: what waits is not handed out any more. */
  end(): void {
    this.#isEnded = true;
    this.#source.destroy();
    this.#changes.emit("change");
  }

  /** Batches in the frames' order; the iterator throws InputError where the stream cannot be read. */
  [Symbol.asyncIterator](): AsyncIterator<readonly Decoded<Frame>[]> {
    return {
      next: () => this.#next(),
      return: () => {
        this.end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<IteratorResult<readonly Decoded<Frame>[]>> {
    while (this.#waiting.length === 0 && !this.#isOver && !this.#isEnded) await once(this.#changes, "change");
    if (!this.#isEnded && this.#waiting.length > 0) {
      const taken = this.#waiting.splice(
        0,
        this.#sizes.find((size) => size <= this.#waiting.length),
      );
      this.#began ??= performance.now();
      this.#changes.emit("change");
      return { done: false, value: await Promise.all(taken.map(({ decoded }) => decoded())) };
    }
    if (!this.#isEnded && this.#failure) throw this.#failure;
    return { done: true, value: undefined };
  }

  async #read(): Promise<void> {
    const { splitter } = this.#form;
    try {
      for await (const bytes of this.#source as AsyncIterable<Buffer>) await this.#add(splitter.push(bytes));
      await this.#add(splitter.end());
    } catch (error) {
      const reason = `cannot read the frames on ${this.#options.name}: ${reasonOf(error)}`;
      this.#failure = new InputError(reason, { cause: error });
    }
    this.#isOver = true;
    this.#changes.emit("change");
  }

  async #add(frames: readonly SplitFrame[]): Promise<void> {
    if (!this.#isForeignSaid && this.foreign > 0) {
      this.#isForeignSaid = true;
      this.#options.onForeign();
    }
    for (const frame of frames) await this.#put(this.#waitingOf(frame));
  }

  #waitingOf(split: SplitFrame): Waiting {
    const frame = ++this.#received;
    const image = `frame ${frame}`;
    const item: Frame = {
      frame,
      time: new Date().toISOString(),
      image,
      picture: `frame-${String(frame).padStart(DIGITS, "0")}.png`,
    };
    if ("reason" in split) {
      const error = new InputError(`cannot read ${image}: ${split.reason}`);
      return { bytes: 0, decoded: () => Promise.resolve({ item, error }) };
    }
    const { bytes } = split;
    return {
      bytes: bytes.length + this.#form.decodedBytes(bytes),
      decoded: () =>
        this.#form.decode(bytes, image).then(
          (image) => ({ item, image }),
          (error: Error) => ({ item, error }),
        ),
    };
  }

  async #put(frame: Waiting): Promise<void> {
    if (this.#options.latest) {
      this.dropped += this.#waiting.splice(0).length;
      this.#waiting.push(frame); // decoded when it is taken
    } else {
      while (!this.#isEnded && !this.#hasRoom(frame)) await once(this.#changes, "change");
      if (this.#isEnded) return;
      const decoded = frame.decoded(); // ahead of its turn
      this.#waiting.push({ bytes: frame.bytes, decoded: () => decoded });
    }
    this.#changes.emit("change");
  }

  #hasRoom({ bytes }: Waiting): boolean {
    if (this.#waiting.length === 0) return true;
    const all = this.#waiting.reduce((sum, { bytes }) => sum + bytes, bytes);
    return this.#waiting.length < 2 * this.#options.batch && all <= AHEAD_BYTES;
  }
}
