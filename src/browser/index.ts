/**
 * Everything, with devices and image decoding for pages and workers.
 *
 * @module bigrid/browser
 */
export * from "../index.ts";
export { openWeights } from "./weights.ts";
export { decodeImage } from "./images.ts";
export { encodeOnnx } from "./onnx.ts";
export { describeAdapter, openDevice } from "./device.ts";
