/**
 * Everything, with devices, files and image decoding for Node.
 *
 * @module bigrid/node
 */
export * from "../index.ts";
export type { ReadOptions } from "./files/hash.ts";
export { cachedWeights, downloadWeights, type HubOptions } from "./hub.ts";
export { openWeights } from "./weights.ts";
export { inspectDataset, readDataset, testImages, trainingImages, type ReadImagesOptions } from "./dataset.ts";
export { describeAdapter, openDevice } from "./device.ts";
export {
  decodeImage,
  decodeImages,
  type Decoded,
  type DecodeAheadOptions,
  type DecodeOptions,
  decodeMask,
  decodeMasks,
  openPicture,
  type OpenPictureOptions,
} from "./images.ts";
export { loadDetector, saveDetector, type LoadOptions, type SaveOptions } from "./detector_file.ts";
export { encodeOnnx } from "../onnx/encode_onnx.ts";
