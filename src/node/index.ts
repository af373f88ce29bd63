export * from "../index.ts";
export { openWeights } from "./weights.ts";
export { inspectDataset, readDataset, testImages, trainingImages } from "./dataset.ts";
export { describeAdapter, openDevice } from "./device.ts";
export { decodeImage, decodeImages, type Decoded, decodeMask, decodeMasks } from "./images.ts";
export { loadDetector, saveDetector, type LoadOptions } from "./detector_file.ts";
export { encodeOnnx } from "../onnx/encode_onnx.ts";
