import { decodeSafetensors, encodeSafetensors, float32Tensors, type StoredTensor } from "../io/safetensors.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { toArray } from "../tensor/tensor.ts";
import { FITS } from "../tensor/placement.ts";
import type { BackboneIdentity } from "../backbones/backbone.ts";
import { BACKBONES, isPretrained, type BackboneName } from "../backbones/registry.ts";
import type { Checkpoint } from "../backbones/efficientnet/checkpoint.ts";
import type { Assembly, Json, Scoring } from "../methods/method.ts";
import { loadMethod, METHOD_NAMES, type MethodName } from "../methods/registry.ts";
import { Detector, type DetectorConfig, type DetectorOptions } from "./detector.ts";

const FORMAT = "bigrid-detector";
const VERSION = 4; // another one wherever the same file would score otherwise than when it was written
const GRAD_ALONE = 3; // a version that knew this method alone: read as such

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
  checkpointOf: (backbone: BackboneIdentity) => Promise<Checkpoint | null> = () => Promise.resolve(null),
  options: DetectorOptions = {},
): Promise<Detector> {
  const { tensors, metadata } = decodeSafetensors(file, name);
  const config = await detectorConfigOf(metadata, name);
  const stored = float32Tensors(tensors, name);
  const checkpoint = config.backbone.weights === null ? null : await checkpointOf(config.backbone);
  return Detector.restore(device, config, stored, name, checkpoint, options);
}

/**
 * Reads what a file's metadata says of its detector, checked: it decides how much memory is asked for.
 * @param name the file's name, for errors
 * @throws InputError if the file is no detector, or one of an unknown version
 */
export async function detectorConfigOf(metadata: Readonly<Record<string, string>>, name: string): Promise<DetectorConfig> {
  if (metadata["format"] !== FORMAT) throw new InputError(`${name} is a safetensors file but no detector: its metadata has no format ${FORMAT}`);
  const { version } = metadata;
  if (version !== String(VERSION) && version !== String(GRAD_ALONE)) {
    const remedy = Number(version) > VERSION ? "install a newer one" : "train it anew";
    const reads = `versions ${GRAD_ALONE} and ${VERSION}`;
    throw new InputError(`${name} is a detector of version ${version?.slice(0, 20)}; this bigrid reads ${reads}: ${remedy}`);
  }
  return configFrom(metadata["config"] ?? "", name, Number(version));
}

/**
 * The same of its configuration's text.
 * @throws InputError if it is none
 */
export async function configFrom(text: string, name: string, version = VERSION): Promise<DetectorConfig> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${name}: the configuration in its metadata is no JSON`, { cause });
  }
  const config = await (version === GRAD_ALONE ? upgraded(read) : (read as DetectorConfig));
  const { method, backbone, input, regions, assembly, scoring, calibration } = config ?? {};
  const { classes, heat } = calibration ?? {};
  const scores = [calibration, ...Object.values(classes ?? {})].flatMap((good) => [good?.threshold, good?.typical, good?.pixelThreshold]);
  const whole =
    BACKBONES.includes(backbone?.name as BackboneName)
    && (backbone.weights === null || /^[0-9a-f]{64}$/.test(backbone.weights))
    && isPretrained(backbone.name) === (backbone.weights !== null)
    && Number.isSafeInteger(input?.size) && input.size > 0 && input.size <= MOST_SIZE
    && FITS.includes(input.fit)
    && typeof regions === "boolean"
    && isAssembly(assembly) && isScoring(scoring)
    && typeof classes === "object" && classes !== null && !Array.isArray(classes)
    && Array.isArray(heat) && heat.length === 2 && heat.every((n) => Number.isFinite(n))
    && [calibration.falseReject, ...scores].every((n) => Number.isFinite(n))
    && METHOD_NAMES.includes(method?.name as MethodName);
  if (!whole) throw new InputError(`${name}: the configuration in its metadata is not that of a detector: ${text.slice(0, 200)}`);
  try {
    (await loadMethod(method.name)).validate(method.config);
  } catch (cause) {
    throw new InputError(`${name}: ${(cause as Error).message}`, { cause });
  }
  return config;
}

const MOST_SIZE = 1 << 14;

function isAssembly(value: Assembly | undefined): boolean {
  const { stages, alignCorners, localMean, standardise } = value ?? {};
  return Array.isArray(stages) && stages.length > 0 && stages.every((stage) => typeof stage === "string")
    && typeof alignCorners === "boolean" && (localMean === 1 || localMean === 3)
    && (standardise === null || (Number.isFinite(standardise?.mean) && standardise!.variance > 0 && standardise!.variance < Infinity));
}

function isScoring(value: Scoring | undefined): boolean {
  const { alignCorners, smoothing, image } = value ?? {};
  const isExtent = (extent: unknown): boolean => typeof extent === "number" && extent > 0 && extent <= MOST_SIZE;
  return typeof alignCorners === "boolean"
    && (smoothing === null || (smoothing?.kind === "box" && isExtent(smoothing.side)) || (smoothing?.kind === "gaussian" && isExtent(smoothing.sigma)))
    && (image?.kind === "cells" || (image?.kind === "windowMean" && isExtent(image.side)));
}

/** A configuration of version 3, which knew one method, as one of today. */
async function upgraded(old: unknown): Promise<DetectorConfig> {
  const { backbone, inputSize, fit, regions, grad: config, hinges: joins, calibration } = (old ?? {}) as Readonly<Record<string, Json>>;
  const { scoring } = await loadMethod("grad");
  const { name } = (backbone ?? {}) as { readonly name?: Json };
  const isEmbedded = name === "embedded";
  return {
    method: { name: "grad", config: { ...(config as object), joins: joins ?? null } },
    backbone, input: { size: inputSize, fit }, regions, scoring, calibration,
    assembly: {
      stages: isEmbedded ? ["filters"] : ["layer3", "layer4"], alignCorners: true, localMean: 1,
      standardise: isEmbedded ? { mean: 0.7, variance: 24 } : null,
    },
  } as unknown as DetectorConfig;
}
