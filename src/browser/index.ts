export * from "../index.ts";
export { openCheckpoint } from "./checkpoint.ts";
export { decodeImage } from "./images.ts";
export { encodeOnnx } from "../onnx/encode_onnx.ts";
export { describeAdapter, openDevice } from "./device.ts";
