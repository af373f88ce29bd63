import { parseJson, type JsonLimits } from "../io/json.ts";
import { decodeSafetensors, encodeSafetensors, float32Tensors, type StoredTensor } from "../io/safetensors.ts";
import type { Device } from "../runtime/device.ts";
import { DivergedError, InputError, OptionError } from "../runtime/errors.ts";
import { toArray } from "../tensor/tensor.ts";
import { FITS } from "../io/placement.ts";
import { nonFinite } from "../nn/weights.ts";
import { BACKBONES, MOST_SIDE, type BackboneSettings } from "../backbones/backbone.ts";
import { isPositive, type Calibration } from "./calibration.ts";
import type { Checkpoint } from "../backbones/efficientnet/checkpoint.ts";
import { Detector, type DetectorConfig, type DetectorOptions } from "./detector.ts";
import { requireValid } from "../methods/grad/config.ts";

const FORMAT = "bigrid-detector";
const VERSION = 3; // another one wherever the same file would score otherwise than when it was written
const CONFIG: JsonLimits = { characters: 1 << 24, depth: 6, containers: 1 << 17 };

/**
 * A detector as one safetensors file. Its metadata has the configuration and, for other readers, the preprocessing. Equal
 * detectors give equal bytes.
 * @throws DivergedError for a tensor that is not finite; InputError for a configuration that could not be read again
 */
export async function encodeDetector(detector: Detector): Promise<Uint8Array> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of detector.tensors()) {
    const values = await toArray(tensor);
    const wrong = nonFinite(values);
    if (wrong) throw new DivergedError(`the model is not written: tensor ${name} holds ${wrong}`);
    tensors.set(name, { dtype: "F32", shape: tensor.shape, bytes: new Uint8Array(values.buffer) });
  }
  const config = JSON.stringify(detector.config); // which makes null of a number that is not finite
  configFrom(config, "the model to be written");
  const metadata = {
    format: FORMAT,
    version: String(VERSION),
    config,
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
 * @throws InputError if it is none, with the field that is wrong
 */
export function configFrom(text: string, name: string): DetectorConfig {
  let config: Partial<DetectorConfig> | null;
  try {
    config = parseJson(text, CONFIG) as Partial<DetectorConfig> | null;
  } catch (cause) {
    throw new InputError(`${name}: the configuration in its metadata ${cause instanceof InputError ? `is refused: ${cause.message}` : "is no JSON"}`, { cause });
  }
  const { backbone, inputSize, fit, regions, grad, hinges, calibration } = (isObject(config) ? config : {});
  const { threshold, typical, pixelThreshold, falseReject, classes, heat } = (isObject(calibration) ? calibration : {}) as Partial<Calibration>;
  const isExtent = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MOST_SIDE;
  const extents = `a whole number from 1 to ${MOST_SIDE}`;
  const positive = "a finite number above 0";
  const scores: readonly (readonly [field: string, good: unknown])[] = [
    ["calibration", { threshold, typical, pixelThreshold }],
    ...Object.entries(isObject(classes) ? classes : {}).map(([className, good]) => [`calibration.classes.${className.slice(0, 40)}`, good] as const),
  ];
  const fields: readonly (readonly [field: string, value: unknown, isRight: boolean, expected: string])[] = [
    ["backbone.name", backbone?.name, BACKBONES.some((known) => known === backbone?.name), `one of ${BACKBONES.join(", ")}`],
    ["backbone.weights", backbone?.weights, areWeightsOf(backbone), "a SHA-256 of 64 digits, or null for the embedded backbone"],
    ["inputSize", inputSize, isExtent(inputSize), extents],
    ["fit", fit, FITS.some((known) => known === fit), `one of ${FITS.join(", ")}`],
    ["regions", regions, typeof regions === "boolean", "true or false"],
    ["grad", grad, isObject(grad), "an object"],
    ...(["height", "width", "channels"] as const).map((extent) => [`grad.${extent}`, grad?.[extent], isExtent(grad?.[extent]), extents] as const),
    ["grad.similarityThreshold", grad?.similarityThreshold, isPositive(grad?.similarityThreshold), positive],
    ["hinges", hinges, isObject(hinges), "an object"],
    ...Object.entries(isObject(hinges) ? hinges : {}).flatMap(([hinge, join]) => [
      [`hinges.${hinge}.floor`, join?.floor, Number.isFinite(join?.floor), "a finite number"],
      [`hinges.${hinge}.weight`, join?.weight, Number.isFinite(join?.weight) && join.weight >= 0, "a finite number of at least 0"],
    ] as const),
    ["calibration", calibration, isObject(calibration), "an object"],
    ["calibration.classes", classes, isObject(classes), "an object"],
    ["calibration.falseReject", falseReject, isPositive(falseReject) && falseReject <= 0.5, "a number above 0 and at most 0.5"],
    ["calibration.heat", heat, Array.isArray(heat) && heat.length === 2 && heat.every(isPositive) && heat[0] < heat[1], "two rising numbers above 0"],
    ...scores.flatMap(([field, good]) => (["threshold", "typical", "pixelThreshold"] as const).map((score) => {
      const value = isObject(good) ? good[score] : undefined;
      return [`${field}.${score}`, value, isPositive(value), positive] as const;
    })),
  ];
  const wrong = fields.find(([, , isRight]) => !isRight);
  if (wrong) {
    const [field, value, , expected] = wrong;
    throw new InputError(`${name}: the configuration in its metadata is not that of a detector: expected ${field} to be ${expected}, got ${shownValue(value)}`);
  }
  try {
    requireValid(grad!);
  } catch (cause) {
    const problem = cause instanceof OptionError ? cause.message : "the configuration in its metadata is not that of a detector: grad.paste is incomplete";
    throw new InputError(`${name}: ${problem}`, { cause });
  }
  return config as DetectorConfig;
}

const areWeightsOf = (backbone: Partial<BackboneSettings> | undefined): boolean =>
  backbone?.name === "embedded" ? backbone.weights === null : /^[0-9a-f]{64}$/.test(String(backbone?.weights));

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

const shownValue = (value: unknown): string => (isObject(value) ? "an object" : (JSON.stringify(value) ?? "nothing").slice(0, 40));
