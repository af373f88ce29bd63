import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BackboneIdentity } from "../backbones/backbone.ts";
import type { Calibration } from "../detection/calibration.ts";
import { decodeDetector, encodeDetector, withCalibration, withMetrics } from "../detection/model_file.ts";
import type { Detector, DetectorOptions } from "../detection/detector.ts";
import { isPretrained } from "../backbones/registry.ts";
import type { PretrainedWeights } from "../backbones/weights.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { hashOf, type ReadOptions } from "./files/hash.ts";
import { claimOutputs } from "./files/claim.ts";
import { cachedWeights } from "./hub.ts";
import { openWeights } from "./weights.ts";
import { replaceFiles, writeFileAtomic, type Contents } from "./files/files.ts";
import { readBytes, readText, requireRegular } from "./files/read.ts";
import { reasonOf } from "./files/reasons.ts";
import type { Lock } from "./files/lock.ts";

const MODEL_FILE = "model.safetensors";
const A_RUN = 'a run is a folder that "bigrid train" wrote';
// path of the backbone's weights on this machine; the model itself only has their hash
const WEIGHTS_PATH_FILE = "weights_path.txt";

/** Options of saving a detector. */
export interface SaveOptions {
  /** File of the backbone's weights, in which `loadDetector` looks for them. Default: no path is kept. */
  readonly weights?: string | null;
  /** Names and contents of files of the run that belong to this detector alone: they are replaced together with it. */
  readonly others?: readonly (readonly [name: string, contents: string])[];
}

/**
 * Saves a detector in a run's folder atomically, with the path of its backbone's weights beside it.
 * @returns the file's path
 * @throws InputError if a file cannot be written; existing files are untouched then
 */
export async function saveDetector(
  detector: Detector,
  run: string,
  { weights = null, others = [] }: SaveOptions = {},
): Promise<string> {
  const path = join(run, MODEL_FILE);
  const files: (readonly [string, Contents | null])[] = others.map(([name, contents]) => [join(run, name), contents]);
  if (weights !== null) files.push([join(run, WEIGHTS_PATH_FILE), `${resolve(weights)}\n`]);
  // a path that is there belongs to an earlier model
  else if (detector.config.backbone.weights === null) files.push([join(run, WEIGHTS_PATH_FILE), null]);
  await replaceFiles([...files, [path, await encodeDetector(detector)]]);
  return path;
}

/** Options of loading a detector. */
export interface LoadOptions extends DetectorOptions, ReadOptions {
  /**
   * A file of its backbone's weights. Default: where they were when the run was made, or the hub's cache.
   */
  readonly weights?: string | null | undefined;
  /** Required SHA-256 of the model's file. Default: any. */
  readonly sha256?: string;
}

/**
 * Locks a run's folder against writing by other processes; makes it if necessary.
 * @throws InputError if it cannot be written, its model is no file that could be read again, or another process has it
 */
export async function claimRun(run: string): Promise<Lock> {
  const path = join(run, MODEL_FILE);
  const found = await stat(path).catch(() => null);
  if (found && !found.isDirectory()) requireRegular(path, found);
  return claimOutputs({ files: [path], folders: [run] });
}

/**
 * Reads a detector from a run's folder, or from a model file itself.
 * @throws InputError if there is none, its hash is not `sha256`, or its backbone's weights are not found;
 * UnsupportedError for half precision where the device lacks it; the signal's reason, which is checked at the start,
 * after the model is read, and while weights are
 */
export async function loadDetector(device: Device, run: string, options: LoadOptions = {}): Promise<Detector> {
  options.signal?.throwIfAborted();
  const path = await modelPath(run);
  const file = await readModel(path, options.sha256);
  options.signal?.throwIfAborted();
  return decodeDetector(device, file, path, {
    ...options,
    findWeights: (backbone) => findWeights(backbone, run, path, options),
  });
}

/**
 * Writes metrics into the metadata of a run's model.
 * @param sha256 of the file that was measured
 * @returns the SHA-256 of the new file
 * @throws InputError if there is no model, it has another hash, or it cannot be written; the file is untouched then
 */
export async function saveMetrics(run: string, metrics: unknown, sha256: string): Promise<string> {
  return rewritten(run, sha256, (file, path) => withMetrics(file, metrics, path));
}

/**
 * Writes another calibration into a run's model; all else in the file stays.
 * @param sha256 of the file that was calibrated
 * @returns the SHA-256 of the new file
 * @throws InputError as `saveMetrics`
 */
export async function saveCalibration(run: string, calibration: Calibration, sha256: string): Promise<string> {
  return rewritten(run, sha256, (file, path) => withCalibration(file, calibration, path));
}

async function rewritten(
  run: string,
  sha256: string,
  change: (file: Uint8Array, path: string) => Uint8Array | Promise<Uint8Array>,
): Promise<string> {
  const path = await modelPath(run);
  const bytes = await change(await readModel(path, sha256), path);
  await writeFileAtomic(path, bytes);
  return hashOf(bytes);
}

/** A model's file. @throws InputError if it cannot be read, or its SHA-256 is another than `expected` */
async function readModel(path: string, expected?: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  if (expected === undefined) return bytes;
  const sha256 = hashOf(bytes);
  if (sha256 === expected) return bytes;
  const [before, now] = [expected, sha256].map((hash) => `${hash.slice(0, 12)}...`);
  throw new InputError(
    `${path} was replaced while it was in use: it had SHA-256 ${before}, now ${now}; run the command again`,
  );
}

async function findWeights(
  { name, weights }: BackboneIdentity,
  run: string,
  model: string,
  { weights: given, signal, onProgress }: LoadOptions,
): Promise<PretrainedWeights> {
  const remembered = await readText(join(run, WEIGHTS_PATH_FILE)).catch(() => null);
  const isThere = async (path: string | null | undefined): Promise<boolean> =>
    !!path && (await stat(path).catch(() => null)) !== null;
  const reading = { signal, onProgress };
  const path = given ?? ((await isThere(remembered?.trim())) ? remembered!.trim() : null);
  if (path) return openWeights(path, reading);
  const cached = isPretrained(name) ? await cachedWeights(name, reading) : null;
  if (!cached) {
    const gone = remembered ? `${remembered.trim()} is no longer there; ` : "";
    const needed = `the ${name} weights that it was trained with (SHA-256 ${weights})`;
    throw new InputError(
      `${model} needs ${needed}: ${gone}give their file as the option weights, or run "bigrid weights ${name}"`,
    );
  }
  return cached;
}

/**
 * The model file of a run's folder, or that file itself.
 * @throws InputError if there is none
 */
export async function modelPath(run: string): Promise<string> {
  const found = await stat(run).catch((error: unknown) => {
    throw new InputError(`cannot read the run ${run}: ${reasonOf(error)}; ${A_RUN}`, { cause: error });
  });
  if (!found.isDirectory()) {
    requireRegular(run, found);
    return run;
  }
  const path = join(run, MODEL_FILE);
  const model = await stat(path).catch(() => null);
  if (!model) throw new InputError(`${run} is no run: it holds no ${MODEL_FILE}; ${A_RUN}`);
  requireRegular(path, model);
  return path;
}
