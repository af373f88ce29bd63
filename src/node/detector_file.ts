import { stat } from "node:fs/promises";
import { join } from "node:path";
import { decodeDetector, encodeDetector } from "../models/detector_file.ts";
import type { Detector } from "../models/detector.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { readBytes, reasonOf, writeFileAtomic } from "./files.ts";

export const MODEL_FILE = "model.safetensors";

/**
 * Writes a detector into a run's folder, as a whole or not at all.
 * @returns the file's path
 * @throws InputError if it cannot be written
 */
export async function saveDetector(detector: Detector, run: string): Promise<string> {
  const path = join(run, MODEL_FILE);
  await writeFileAtomic(path, await encodeDetector(detector));
  return path;
}

/**
 * Reads a detector from a run's folder, or from a model file itself.
 * @throws InputError if there is none
 */
export async function loadDetector(device: Device, run: string): Promise<Detector> {
  const path = await modelPath(run);
  return decodeDetector(device, await readBytes(path), path);
}

/**
 * The model file of a run's folder, or that file itself.
 * @throws InputError if there is none
 */
export async function modelPath(run: string): Promise<string> {
  const found = await stat(run).catch((error: unknown) => {
    throw new InputError(`cannot read the run ${run}: ${reasonOf(error)}`, { cause: error });
  });
  if (!found.isDirectory()) return run;
  const path = join(run, MODEL_FILE);
  if (!(await stat(path).catch(() => null))) throw new InputError(`${run} is no run: it holds no ${MODEL_FILE}; make one with "bigrid train DIR --out ${run}"`);
  return path;
}
