import { MOST_FRAME_BYTES, type FrameSplitter, type SplitFrame } from "./frames.ts";

const MARKER = 0xff;
const CODE = {
  stuffed: 0x00,
  temporary: 0x01,
  firstRestart: 0xd0,
  lastRestart: 0xd7,
  start: 0xd8,
  end: 0xd9,
  scan: 0xda,
} as const;
const START = [MARKER, CODE.start] as const;

/** Names for what the next byte is. */
const AT = {
  /** Between frames: one of the three bytes with which a frame begins. */
  outside: 0,
  /** The 0xff of a segment's marker. */
  marker: 1,
  /** The code of a segment's marker. */
  code: 2,
  /** The upper byte of a segment's length. */
  upperLength: 3,
  /** The lower byte of a segment's length. */
  lowerLength: 4,
  /** A segment's contents. */
  segment: 5,
  /** Entropy-coded data. */
  data: 6,
  /** After a 0xff in entropy-coded data. */
  dataCode: 7,
} as const;

/**
 * Cuts concatenated JPEGs. Segments are walked by their lengths, so that a thumbnail in one of them does not end its
 * frame; entropy-coded data are searched for their end. A frame that is damaged ends where that is noticed, and is
 * handed out as it is: decoding refuses it. The next one begins at the next start of an image.
 *
 * @see ITU-T T.81, B.1.1: https://www.w3.org/Graphics/JPEG/itu-t81.pdf
 */
export class JpegSplitter implements FrameSplitter {
  skipped = 0;
  readonly #limit: number;
  #at: (typeof AT)[keyof typeof AT] = AT.outside;
  /** Bytes of a frame's beginning that the last bytes are, where none has begun. */
  #matched = 0;
  #code = 0;
  /** Bytes that are left of the segment. */
  #left = 0;
  #parts: Uint8Array[] = [];
  #length = 0;
  #isTooLarge = false;

  /** @param limit the most bytes that a frame may have: a larger one is left out */
  constructor(limit = MOST_FRAME_BYTES) {
    this.#limit = limit;
  }

  push(bytes: Uint8Array): SplitFrame[] {
    const frames: SplitFrame[] = [];
    let from = 0; // where what belongs to the frame begins in these bytes
    for (let at = 0; at < bytes.length;) {
      if (this.#at === AT.outside) {
        at = this.#seek(bytes, at);
        from = at;
        continue;
      }
      const after = this.#step(bytes, at);
      if (after !== null) {
        at = after;
        continue;
      }
      // the frame ends: with this byte, or before it where that cannot be its own
      const isWhole = bytes[at] === CODE.end && (this.#at === AT.code || this.#at === AT.dataCode);
      const isNext = bytes[at] === CODE.start && this.#at !== AT.marker;
      if (isWhole) at++;
      this.#keep(bytes.subarray(from, at), frames);
      this.#finish(frames, isNext ? 1 : 0); // the next one's 0xff
      this.#matched = isNext ? START.length : 0;
      if (isNext) at++;
    }
    if (this.#at !== AT.outside) this.#keep(bytes.subarray(from), frames);
    return frames;
  }

  end(): SplitFrame[] {
    const frames: SplitFrame[] = [];
    if (this.#at !== AT.outside) this.#finish(frames);
    this.skipped += this.#matched;
    this.#matched = 0;
    return frames;
  }

  /** Looks for a frame's beginning, and begins it; returns the position of the first byte that is not used up. */
  #seek(bytes: Uint8Array, at: number): number {
    const byte = bytes[at]!;
    if (this.#matched === 0) {
      const found = bytes.indexOf(MARKER, at);
      this.skipped += (found < 0 ? bytes.length : found) - at;
      if (found >= 0) this.#matched = 1;
      return found < 0 ? bytes.length : found + 1;
    }
    if (this.#matched === 1) {
      if (byte === CODE.start) this.#matched = 2;
      else if (byte === MARKER) this.skipped++;
      else [this.skipped, this.#matched] = [this.skipped + 2, 0];
      return at + 1;
    }
    this.#matched = 0;
    if (byte === MARKER) {
      [this.#at, this.#parts, this.#length] = [AT.marker, [Uint8Array.from(START)], START.length];
    } else this.skipped += START.length;
    return at;
  }

  /** Takes bytes of a frame; returns the position of the next one, or null if the frame ends here. */
  #step(bytes: Uint8Array, at: number): number | null {
    const byte = bytes[at]!;
    switch (this.#at) {
      case AT.marker:
        if (byte !== MARKER) return null;
        this.#at = AT.code;
        return at + 1;
      case AT.dataCode:
        if (byte === MARKER) return at + 1;
        if (byte === CODE.stuffed || isRestart(byte)) {
          this.#at = AT.data;
          return at + 1;
        }
        return this.#begin(byte) ? at + 1 : null;
      case AT.code:
        if (byte === MARKER) return at + 1;
        if (byte === CODE.stuffed) return null;
        if (byte === CODE.temporary || isRestart(byte)) {
          this.#at = AT.marker;
          return at + 1;
        }
        return this.#begin(byte) ? at + 1 : null;
      case AT.upperLength:
        [this.#left, this.#at] = [256 * byte, AT.lowerLength];
        return at + 1;
      case AT.lowerLength:
        this.#left += byte - 2;
        if (this.#left < 0) return null;
        this.#at = AT.segment;
        return at + 1;
      case AT.segment: {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        if (this.#left === 0) this.#at = this.#code === CODE.scan ? AT.data : AT.marker;
        return at + taken;
      }
      default: {
        const found = bytes.indexOf(MARKER, at);
        if (found >= 0) this.#at = AT.dataCode;
        return found < 0 ? bytes.length : found + 1;
      }
    }
  }

  /** Begins the segment of a code; false for those at which a frame ends. */
  #begin(code: number): boolean {
    if (code === CODE.start || code === CODE.end) return false;
    [this.#code, this.#at] = [code, AT.upperLength];
    return true;
  }

  #keep(bytes: Uint8Array, frames: SplitFrame[]): void {
    this.#length += bytes.length;
    if (this.#isTooLarge) return;
    this.#parts.push(bytes);
    if (this.#length <= this.#limit) return;
    [this.#isTooLarge, this.#parts] = [true, []];
    frames.push({ reason: `it has more than ${this.#limit} bytes` });
  }

  /** @param less bytes at the end that are not the frame's */
  #finish(frames: SplitFrame[], less = 0): void {
    if (!this.#isTooLarge) frames.push({ bytes: joined(this.#parts, this.#length).subarray(0, this.#length - less) });
    [this.#at, this.#parts, this.#length, this.#isTooLarge] = [AT.outside, [], 0, false];
  }
}

const isRestart = (code: number): boolean => code >= CODE.firstRestart && code <= CODE.lastRestart;

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
