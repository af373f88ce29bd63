import type { Device } from "../runtime/device.ts";
import type { FloatDType } from "../tensor/tensor.ts";
import type { DecoderName } from "../methods/grad/config.ts";

// What training does where it is not told.

export const defaultDecoder = ({ adapter }: Device): DecoderName => (adapter.software ? "tiny" : "mobile");

export const defaultBatch = (decoder: DecoderName): number => (decoder === "tiny" ? 8 : 16);

export const defaultRecompute = (decoder: DecoderName): boolean => decoder !== "tiny";

/** What features are kept in. @param standardise the backbone's: channels small beside their mean would lose too much */
export const featureDType = ({ gpu }: Device, standardise: boolean): FloatDType => (gpu.features.has("shader-f16") && !standardise ? "f16" : "f32");
