import type { Detector } from "../detection/detector.ts";

/**
 * Encodes a detector with its backbone as an ONNX file, as `encodeOnnx` of `bigrid/node`; what does it is loaded when it
 * is first called.
 * @throws UnsupportedError for a model that ONNX cannot hold or express, or a detector in half precision
 */
export const encodeOnnx = async (detector: Detector): Promise<Uint8Array> =>
  (await import("../onnx/encode_onnx.ts")).encodeOnnx(detector);
