import { decodeSafetensors, encodeSafetensors, float32Tensors, type StoredTensor } from "../io/safetensors.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { toArray } from "../tensor/tensor.ts";
import { FITS } from "../io/placement.ts";
import { BACKBONES, type BackboneSettings } from "./backbone.ts";
import type { Checkpoint } from "./efficientnet/checkpoint.ts";
import { Detector, type DetectorConfig, type DetectorOptions } from "./detector.ts";
import { requireValid } from "./grad/config.ts";

const FORMAT = "bigrid-detector";
const VERSION = 3; // another one wherever the same file would score otherwise than when it was written

/**
 * A detector as one safetensors file. Its metadata has the configuration and, for other readers, the preprocessing. Equal
 * detectors give equal bytes.
 */
export async function encodeDetector(detector: Detector): Promise<Uint8Array> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of detector.tensors()) {
    const values = await toArray(tensor);
    tensors.set(name, { dtype: "F32", shape: tensor.shape, bytes: new Uint8Array(values.buffer) });
  }
  const metadata = {
    format: FORMAT,
    version: String(VERSION),
    config: JSON.stringify(detector.config),
    preprocessing: JSON.stringify(detector.preprocessing),
  };
  return encodeSafetensors({ tensors, metadata });
}

/**
 * Such a file with what was measured on it in its metadata.
 * @param metrics anything that JSON can say
 * @throws InputError if the file is no safetensors file
 */
export function withMetrics(file: Uint8Array, metrics: unknown, name: string): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(file, name);
  return encodeSafetensors({ tensors, metadata: { ...metadata, metrics: JSON.stringify(metrics) } });
}

/**
 * A detector from such a file.
 * @param name the file's name, for errors
 * @param checkpointOf finds the weights of a backbone that has some
 * @throws InputError if the file is no detector, or one of another version, or its backbone's weights are not found; OptionError for
 * half precision where the device lacks it
 */
export async function decodeDetector(
  device: Device,
  file: Uint8Array,
  name: string,
  checkpointOf: (backbone: BackboneSettings) => Promise<Checkpoint | null> = () => Promise.resolve(null),
  options: DetectorOptions = {},
): Promise<Detector> {
  const { tensors, metadata } = decodeSafetensors(file, name);
  const config = detectorConfigOf(metadata, name);
  const stored = float32Tensors(tensors, name);
  const checkpoint = config.backbone.weights === null ? null : await checkpointOf(config.backbone);
  return Detector.restore(device, config, stored, name, checkpoint, options);
}

/**
 * What a file's metadata says of its detector, checked: it decides how much memory is asked for.
 * @param name the file's name, for errors
 * @throws InputError if the file is no detector, or one of another version
 */
export function detectorConfigOf(metadata: Readonly<Record<string, string>>, name: string): DetectorConfig {
  if (metadata["format"] !== FORMAT) throw new InputError(`${name} is a safetensors file but no detector: its metadata has no format ${FORMAT}`);
  const { version } = metadata;
  if (version !== String(VERSION)) {
    const remedy = Number(version) > VERSION ? "install a newer one" : "train it anew";
    throw new InputError(`${name} is a detector of version ${version?.slice(0, 20)}; this bigrid reads version ${VERSION}: ${remedy}`);
  }
  return configFrom(metadata["config"] ?? "", name);
}

/**
 * The same of its configuration's text.
 * @throws InputError if it is none
 */
export function configFrom(text: string, name: string): DetectorConfig {
  let config: DetectorConfig;
  try {
    config = JSON.parse(text) as DetectorConfig;
  } catch (cause) {
    throw new InputError(`${name}: the configuration in its metadata is no JSON`, { cause });
  }
  const { backbone, inputSize, fit, regions, grad, hinges, calibration } = config ?? {};
  const { classes, heat } = calibration ?? {};
  const positive = [grad?.height, grad?.width, grad?.channels, inputSize];
  const scores = [calibration, ...Object.values(classes ?? {})].flatMap((good) => [good?.threshold, good?.typical, good?.pixelThreshold]);
  const joins = Object.values(hinges ?? { none: null }).flatMap((hinge) => [hinge?.floor, hinge?.weight]);
  const numbers = [...joins, grad?.similarityThreshold, calibration?.falseReject, ...scores];
  const whole =
    BACKBONES.includes(backbone?.name)
    && (backbone.weights === null || /^[0-9a-f]{64}$/.test(backbone.weights))
    && (backbone.name === "embedded") === (backbone.weights === null)
    && FITS.includes(fit)
    && typeof regions === "boolean"
    && typeof classes === "object" && classes !== null && !Array.isArray(classes)
    && Array.isArray(heat) && heat.length === 2 && heat.every((n) => Number.isFinite(n))
    && positive.every((n) => Number.isSafeInteger(n) && n > 0 && n <= 1 << 14)
    && numbers.every((n) => Number.isFinite(n));
  if (!whole) throw new InputError(`${name}: the configuration in its metadata is not that of a detector: ${text.slice(0, 200)}`);
  try {
    requireValid(grad);
  } catch (cause) {
    throw new InputError(`${name}: ${(cause as Error).message}`, { cause });
  }
  return config;
}
