export * from "../index.ts";
export { decodeImage } from "./images.ts";
export { describeAdapter, openDevice } from "./device.ts";
