import type { Device } from "../runtime/device.ts";
import { UnsupportedError } from "../runtime/errors.ts";
import type { FloatDType } from "../tensor/tensor.ts";

/**
 * The dtype in which weights and activations are stored.
 * @throws UnsupportedError for half precision where the device lacks it
 */
export function storageOf(device: Device, half: boolean): FloatDType {
  if (!half || device.gpu.features.has("shader-f16")) return half ? "f16" : "f32";
  throw new UnsupportedError(
    `half precision needs the feature shader-f16, which ${device.adapter.description} lacks; do without it`,
  );
}
