import type { Detector } from "../detection/detector.ts";

/**
 * Encodes a detector with its backbone as an ONNX file of opset 16, as in Node. The code that does so is loaded when it
 * is first used.
 * @throws UnsupportedError for a model that ONNX cannot hold or express, or a detector in half precision
 * @see https://onnx.ai/onnx/operators/
 */
export const encodeOnnx = async (detector: Detector): Promise<Uint8Array> =>
  (await import("../onnx/encode_onnx.ts")).encodeOnnx(detector);
