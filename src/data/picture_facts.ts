import type { Size } from "../io/placement.ts";

/** Facts about a picture's file, without its pixels. The size is as displayed, with the orientation applied. */
export interface PictureFacts extends Size {
  /** "png", "jpeg", ... */
  readonly format: string;
  /** "grey", "colour", ... */
  readonly mode: string;
  /** Size of its file. */
  readonly bytes: number;
  /** The largest sample of a 16-bit file that states no range of its own; absent for others. */
  readonly sampleHigh?: number;
}

/** Extent and marked area of a mask. */
export interface MaskFacts extends Size {
  readonly format: string;
  /** Pixels that are not 0. */
  readonly marked: number;
}

/** Reads a dataset's files. Its functions throw InputError for a file that cannot be read. */
export interface PictureReader {
  facts(path: string): Promise<PictureFacts>;
  mask(path: string): Promise<MaskFacts>;
  /** Digest of a file's bytes: equal if and only if the bytes are. */
  digest(path: string): Promise<string>;
}
