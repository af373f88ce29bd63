import { isObject, isSha256, requireJson, type JsonLimits } from "../io/json.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  finiteTensor,
  float32Tensors,
  type StoredTensor,
} from "../io/safetensors.ts";
import type { Device } from "../runtime/device.ts";
import { DivergedError, InputError, OptionError } from "../runtime/errors.ts";
import { toArray } from "../tensor/tensor.ts";
import { RESIZES } from "../io/placement.ts";
import { tilingProblem } from "../io/tiling.ts";
import { MOST_SIDE, type BackboneIdentity } from "../backbones/backbone.ts";
import { BACKBONES, isPretrained } from "../backbones/registry.ts";
import type { PretrainedWeights } from "../backbones/weights.ts";
import type { JsonObject } from "../methods/method.ts";
import { loadMethod, METHOD_NAMES } from "../methods/registry.ts";
import { isScoring, readAssembly } from "./assembly.ts";
import { isPositive, type Calibration } from "./calibration.ts";
import { isTiled } from "./cut.ts";
import { Detector, type DetectorConfig, type DetectorOptions } from "./detector.ts";
import type { DetectorInput } from "./input.ts";

const FORMAT = "bigrid-detector";
// Another version wherever the same file would score otherwise than when it was written.
const VERSION = { whole: 4, tiled: 5 } as const;
const versionOf = ({ input }: DetectorConfig): string => String(VERSION[isTiled(input) ? "tiled" : "whole"]);
const CONFIG: JsonLimits = { characters: 1 << 24, depth: 8, containers: 1 << 17 };
const ONE_METHOD = 3; // the version that knew one method alone, which reads it

/**
 * Encodes a detector as one safetensors file, with its configuration and, for other readers, its preprocessing as
 * metadata. Equal detectors give equal bytes.
 * @throws DivergedError for a tensor that is not finite; InputError for a configuration that could not be read back
 */
export async function encodeDetector(detector: Detector): Promise<Uint8Array> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of detector.tensors()) {
    const refuse = (problem: string): never => {
      throw new DivergedError(`the model is not written: tensor ${name} holds ${problem}`);
    };
    tensors.set(name, finiteTensor(await toArray(tensor), refuse, tensor.shape));
  }
  const config = JSON.stringify(detector.config); // which makes null of a number that is not finite
  await configFrom(config, "the model to be written");
  const metadata = {
    format: FORMAT,
    version: versionOf(detector.config),
    config,
    preprocessing: JSON.stringify(detector.preprocessing),
  };
  return encodeSafetensors({ tensors, metadata });
}

/**
 * Adds metrics to a model file's metadata.
 * @param metrics anything that JSON can say
 * @throws InputError if the file is no safetensors file
 */
export function withMetrics(file: Uint8Array, metrics: unknown, name: string): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(file, name);
  return encodeSafetensors({ tensors, metadata: { ...metadata, metrics: JSON.stringify(metrics) } });
}

/**
 * Replaces the calibration in a model file; a file of an earlier version becomes one of this.
 * @throws InputError if the file is no detector
 */
export async function withCalibration(file: Uint8Array, calibration: Calibration, name: string): Promise<Uint8Array> {
  const { tensors, metadata } = decodeSafetensors(file, name);
  const config = JSON.stringify({ ...(await readDetectorConfig(metadata, name)), calibration });
  const version = versionOf(await configFrom(config, "the model to be written"));
  return encodeSafetensors({ tensors, metadata: { ...metadata, version, config } });
}

/** Options of reading a detector. */
export interface DecodeDetectorOptions extends DetectorOptions {
  /** Finds the weights of a backbone that has some. Default: none are found. */
  readonly findWeights?: ((backbone: BackboneIdentity) => Promise<PretrainedWeights | null>) | undefined;
}

/**
 * Restores a detector from a model file.
 * @param name the file's name, for errors
 * @throws InputError if the file is no detector, or one of another version, or its backbone's weights are not found;
 * UnsupportedError for half precision where the device lacks it
 */
export async function decodeDetector(
  device: Device,
  file: Uint8Array,
  name: string,
  { findWeights = () => Promise.resolve(null), ...options }: DecodeDetectorOptions = {},
): Promise<Detector> {
  const { tensors, metadata } = decodeSafetensors(file, name);
  const config = await readDetectorConfig(metadata, name);
  const stored = float32Tensors(tensors, name);
  const weights = config.backbone.weights === null ? null : await findWeights(config.backbone);
  return Detector.restore(device, config, stored, name, weights, options);
}

/**
 * Reads a detector's configuration from a file's metadata and checks it, since it decides how much memory is allocated.
 * @param name the file's name, for errors
 * @throws InputError if the file is no detector, or one of an unknown version
 */
export async function readDetectorConfig(
  metadata: Readonly<Record<string, string>>,
  name: string,
): Promise<DetectorConfig> {
  if (metadata["format"] !== FORMAT)
    throw new InputError(`${name} is a safetensors file but no detector: its metadata has no format ${FORMAT}`);
  const { version } = metadata;
  const known: readonly number[] = [ONE_METHOD, VERSION.whole, VERSION.tiled];
  if (!known.some((one) => version === String(one))) {
    const remedy = Number(version) > VERSION.tiled ? "install a newer one" : "train it anew";
    const reads = `versions ${known.slice(0, -1).join(", ")} and ${VERSION.tiled}`;
    throw new InputError(
      `${name} is a detector of version ${version?.slice(0, 20)}; this bigrid reads ${reads}: ${remedy}`,
    );
  }
  return configFrom(metadata["config"] ?? "", name, Number(version));
}

/**
 * Parses and checks a detector's configuration.
 * @throws InputError, with the field, if it is wrong
 */
export async function configFrom(text: string, name: string, version: number = VERSION.whole): Promise<DetectorConfig> {
  const read = requireJson(text, CONFIG, `${name}: the configuration in its metadata`);
  const config = version === ONE_METHOD && isObject(read) ? await upgraded(read as JsonObject) : read;
  const wrong = fieldsOf(isObject(config) ? config : {}).find(([, , isRight]) => !isRight);
  if (wrong) {
    const [field, value, , expected] = wrong;
    throw new InputError(
      `${name}: the configuration in its metadata is not that of a detector: expected ${field} to be ${expected}, got ${shownValue(value)}`,
    );
  }
  const { method, assembly } = config as DetectorConfig;
  const { validate } = await loadMethod(method.name);
  try {
    validate(method.config);
  } catch (cause) {
    const problem =
      cause instanceof OptionError
        ? cause.message
        : "the configuration in its metadata is not that of a detector: config.method.config lacks a field";
    throw new InputError(`${name}: ${problem}`, { cause });
  }
  return { ...(config as DetectorConfig), assembly: readAssembly(assembly)! };
}

/** A configuration of version 3 as one of today, by the method that it was for. */
async function upgraded(config: JsonObject): Promise<unknown> {
  for (const name of METHOD_NAMES) {
    const method = await loadMethod(name);
    if (method.upgraded) return method.upgraded(config);
  }
  return config;
}

type Field = readonly [field: string, value: unknown, isRight: boolean, expected: string];

/** The fields of a configuration, each with whether it is right, in the order in which they are checked. */
function fieldsOf({
  method,
  backbone,
  input,
  regions,
  assembly,
  scoring,
  calibration,
}: Partial<DetectorConfig>): readonly Field[] {
  const { threshold, typical, pixelThreshold, falseReject, classes, heat } = (
    isObject(calibration) ? calibration : {}
  ) as Partial<Calibration>;
  const scores: readonly (readonly [field: string, good: unknown])[] = [
    ["calibration", { threshold, typical, pixelThreshold }],
    ...Object.entries(isObject(classes) ? classes : {}).map(
      ([className, good]) => [`calibration.classes.${className.slice(0, 40)}`, good] as const,
    ),
  ];
  return [
    [
      "method.name",
      method?.name,
      METHOD_NAMES.some((known) => known === method?.name),
      `one of ${METHOD_NAMES.join(", ")}`,
    ],
    ["method.config", method?.config, isObject(method?.config), "an object"],
    [
      "backbone.name",
      backbone?.name,
      BACKBONES.some((known) => known === backbone?.name),
      `one of ${BACKBONES.join(", ")}`,
    ],
    [
      "backbone.weights",
      backbone?.weights,
      areWeightsOf(backbone),
      "a SHA-256 of 64 digits, or null for the embedded backbone",
    ],
    ["input.size", input?.size, isExtent(input?.size), EXTENT],
    ["input.resize", input?.resize, RESIZES.some((known) => known === input?.resize), `one of ${RESIZES.join(", ")}`],
    ["input.tiles", input?.tiles, areTiles(input), "a tile and an overlap that the input can have, or absent"],
    ["regions", regions, typeof regions === "boolean", "true or false"],
    ["assembly", assembly, readAssembly(assembly) !== null, "stages with how they are joined"],
    ["scoring", scoring, isScoring(scoring), "how maps are smoothed and images scored"],
    ["calibration", calibration, isObject(calibration), "an object"],
    ["calibration.classes", classes, isObject(classes), "an object"],
    [
      "calibration.falseReject",
      falseReject,
      isPositive(falseReject) && falseReject <= 0.5,
      "a number above 0 and at most 0.5",
    ],
    [
      "calibration.heat",
      heat,
      Array.isArray(heat) && heat.length === 2 && heat.every(Number.isFinite) && 0 < heat[0] && heat[0] < heat[1],
      "two rising numbers above 0",
    ],
    ...scores.flatMap(([field, good]) =>
      (["threshold", "typical", "pixelThreshold"] as const).map((score): Field => {
        const value = isObject(good) ? good[score] : undefined;
        return [`${field}.${score}`, value, isPositive(value), "a number above 0 that f32 holds"];
      }),
    ),
  ];
}

const EXTENT = `a whole number from 1 to ${MOST_SIDE}`;

const isExtent = (value: unknown): boolean =>
  Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MOST_SIDE;

const areTiles = (input: Partial<DetectorInput> | undefined): boolean =>
  input?.tiles === undefined || (isObject(input.tiles) && tilingProblem(input.tiles, input.size ?? NaN) === null);

const areWeightsOf = (backbone: Partial<BackboneIdentity> | undefined): boolean =>
  isPretrained(String(backbone?.name)) ? isSha256(backbone?.weights) : backbone?.weights === null;

const shownValue = (value: unknown): string =>
  isObject(value) ? "an object" : (JSON.stringify(value) ?? "nothing").slice(0, 40);
