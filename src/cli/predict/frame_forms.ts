import { InvalidArgumentError } from "commander";
import { MOST_FRAME_BYTES, RawSplitter, rgbImage } from "../../io/frames.ts";
import { JpegSplitter } from "../../io/mjpeg.ts";
import type { Size } from "../../io/placement.ts";
import { claimedPixels, decodeImageBytes, RGBA_BYTES } from "../../node/images.ts";
import type { FrameForm } from "./frame_stream.ts";

/** The frames that `--frames` names: JPEGs, one after another, or raw frames of that size. */
export type FramesFlag = "mjpeg" | Size;

/** Reads `--frames`. */
export function parseFrames(text: string): FramesFlag {
  if (text === "mjpeg") return text;
  const [, width, height] = /^([1-9]\d{0,5})x([1-9]\d{0,5})$/.exec(text) ?? [];
  if (width === undefined || 3 * Number(width) * Number(height) > MOST_FRAME_BYTES)
    throw new InvalidArgumentError(
      `mjpeg is needed, or the size of raw rgb24 frames, such as 1280x720, of at most ${MOST_FRAME_BYTES} bytes each.`,
    );
  return { width: Number(width), height: Number(height) };
}

/** Describes frames for a message. */
export const framesInWords = (flag: FramesFlag): string =>
  flag === "mjpeg" ? "JPEG frames" : `raw frames of ${flag.width} x ${flag.height} pixels`;

/** The way in which frames are cut and decoded. */
export function formOf(flag: FramesFlag): FrameForm {
  if (flag === "mjpeg")
    return {
      splitter: new JpegSplitter(),
      decodedBytes: (bytes) => RGBA_BYTES * claimedPixels(bytes),
      decode: decodeImageBytes,
    };
  return {
    splitter: new RawSplitter(flag),
    decodedBytes: () => RGBA_BYTES * flag.width * flag.height,
    decode: (bytes) => Promise.resolve(rgbImage(bytes, flag)),
  };
}
