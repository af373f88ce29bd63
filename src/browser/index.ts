export * from "../index.ts";
export { openWeights } from "./weights.ts";
export { decodeImage } from "./images.ts";
export { encodeOnnx } from "../onnx/encode_onnx.ts";
export { describeAdapter, openDevice } from "./device.ts";
