import type { Detector } from "../detection/detector.ts";

/**
 * Encodes a detector with its backbone as an ONNX file, as in Node. The code for it is loaded when it is first called.
 *
 * @throws UnsupportedError for a model that ONNX cannot hold or express, or a detector in half precision
 */
export async function encodeOnnx(detector: Detector): Promise<Uint8Array> {
  return (await import("../onnx/encode_onnx.ts")).encodeOnnx(detector);
}
