import { OptionError } from "../runtime/errors.ts";
import type { DecodedImage } from "./image.ts";
import type { Size } from "./placement.ts";

/** A frame of a stream: its bytes, or the reason why it is left out. */
export type SplitFrame = { readonly bytes: Uint8Array } | { readonly reason: string };

/** Cuts a stream of bytes into frames; it holds no more than one unfinished frame. */
export interface FrameSplitter {
  /** Bytes so far that belong to no frame. */
  readonly skipped: number;
  /** Takes the stream's next bytes, which must not change any more, and returns the frames that they complete. */
  push(bytes: Uint8Array): SplitFrame[];
  /** Ends the stream, and returns the frame that it has cut off, if there is one. */
  end(): SplitFrame[];
}

/** The most bytes that a frame may have: a raw frame of 7680 x 4320 pixels has 99.5e6. */
export const MOST_FRAME_BYTES = 128e6;

const RGB_BYTES = 3;

/** Cuts raw frames of one size: `[height, width, 3]`, row-major, 8-bit red, green, blue; no header, no padding. */
export class RawSplitter implements FrameSplitter {
  readonly skipped = 0;
  readonly #bytes: number;
  #frame: Uint8Array;
  #filled = 0;

  /** @throws OptionError if a frame has no pixels, or more than MOST_FRAME_BYTES bytes */
  constructor({ width, height }: Size) {
    this.#bytes = RGB_BYTES * width * height;
    if (!(this.#bytes > 0 && this.#bytes <= MOST_FRAME_BYTES)) {
      throw new OptionError(
        `raw frames: expected 1 to ${Math.floor(MOST_FRAME_BYTES / RGB_BYTES)} pixels, got ${width} x ${height}`,
      );
    }
    this.#frame = new Uint8Array(this.#bytes);
  }

  push(bytes: Uint8Array): SplitFrame[] {
    const frames: SplitFrame[] = [];
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.#bytes - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#bytes) continue;
      frames.push({ bytes: this.#frame });
      [this.#frame, this.#filled] = [new Uint8Array(this.#bytes), 0];
    }
    return frames;
  }

  end(): SplitFrame[] {
    if (this.#filled === 0) return [];
    const filled = this.#filled;
    this.#filled = 0;
    return [{ reason: `it is cut off: the stream ended after ${filled} of its ${this.#bytes} bytes` }];
  }
}

/** A raw frame as an image. */
export function rgbImage(bytes: Uint8Array, { width, height }: Size): DecodedImage {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0, from = 0; i < data.length; i += 4, from += RGB_BYTES) {
    data[i] = bytes[from]!;
    data[i + 1] = bytes[from + 1]!;
    data[i + 2] = bytes[from + 2]!;
  }
  return { width, height, data };
}
