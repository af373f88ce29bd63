import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BackboneIdentity } from "../backbones/backbone.ts";
import { decodeDetector, encodeDetector, withMetrics } from "../detection/model_file.ts";
import type { Detector, DetectorOptions } from "../detection/detector.ts";
import { isPretrained } from "../backbones/registry.ts";
import type { PretrainedWeights } from "../backbones/weights.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { readBytes, reasonOf, writeFileAtomic } from "./files.ts";
import { openWeights } from "./weights.ts";

const MODEL_FILE = "model.safetensors";
const A_RUN = 'a run is a folder that "bigrid train DIR --out RUN" wrote';
const WEIGHTS_PATH_FILE = "weights_path.txt"; // where on this machine the backbone's weights were; the model itself only knows their hash

/**
 * Writes a detector into a run's folder, as a whole or not at all; and beside it where its backbone's weights are.
 * @returns the file's path
 * @throws InputError if it cannot be written
 */
export async function saveDetector(detector: Detector, run: string, weightsPath: string | null = null): Promise<string> {
  const path = join(run, MODEL_FILE);
  await writeFileAtomic(path, await encodeDetector(detector));
  if (weightsPath !== null) await writeFileAtomic(join(run, WEIGHTS_PATH_FILE), `${resolve(weightsPath)}\n`);
  return path;
}

/**
 * Reads a detector from a run's folder, or from a model file itself.
 * @param weightsPath a file of its backbone's weights; by default where they were when the run was made, or the hub's cache
 * @throws InputError if there is none, or its backbone's weights are not found; OptionError for half precision where the device lacks it
 */
export async function loadDetector(device: Device, run: string, weightsPath: string | null = null, options: DetectorOptions = {}): Promise<Detector> {
  const path = await modelPath(run);
  return decodeDetector(device, await readBytes(path), path, (backbone) => findWeights(backbone, run, path, weightsPath), options);
}

/**
 * Writes what was measured on a run's model into its metadata.
 * @throws InputError if there is no model, or it cannot be written; it is untouched then
 */
export async function saveMetrics(run: string, metrics: unknown): Promise<void> {
  const path = await modelPath(run);
  await writeFileAtomic(path, withMetrics(await readBytes(path), metrics, path));
}

async function findWeights({ name, weights }: BackboneIdentity, run: string, model: string, weightsPath: string | null): Promise<PretrainedWeights> {
  const { cachedWeights } = await import("./hub.ts"); // which few models need
  const remembered = await readFile(join(run, WEIGHTS_PATH_FILE), "utf8").catch(() => null);
  const isThere = async (path: string | null | undefined): Promise<boolean> => !!path && (await stat(path).catch(() => null)) !== null;
  const path = weightsPath ?? ((await isThere(remembered?.trim())) ? remembered!.trim() : isPretrained(name) ? await cachedWeights(name) : null);
  if (!path) {
    const gone = remembered ? `${remembered.trim()} is no longer there; ` : "";
    const needed = `the ${name} weights that it was trained with (SHA-256 ${weights})`;
    throw new InputError(`${model} needs ${needed}: ${gone}name the file with --weights, or run "bigrid weights ${name}"`);
  }
  return openWeights(path);
}

/**
 * The model file of a run's folder, or that file itself.
 * @throws InputError if there is none
 */
export async function modelPath(run: string): Promise<string> {
  const found = await stat(run).catch((error: unknown) => {
    throw new InputError(`cannot read the run ${run}: ${reasonOf(error)}; ${A_RUN}`, { cause: error });
  });
  if (!found.isDirectory()) return run;
  const path = join(run, MODEL_FILE);
  if (!(await stat(path).catch(() => null))) throw new InputError(`${run} is no run: it holds no ${MODEL_FILE}; ${A_RUN}`);
  return path;
}
