export * from "../index.ts";
export { openWeights } from "./weights.ts";
export { decodeImage } from "./images.ts";
export { encodeOnnx } from "./onnx.ts";
export { describeAdapter, openDevice } from "./device.ts";
