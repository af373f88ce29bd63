import { writeFileSync, writeSync } from "node:fs";
import { marker } from "./listing.ts";

/** Work that dispatches a pipeline: a row of a benchmark, or a script. */
export interface Use {
  readonly row: string;
  /** True if the row asks for this form of the kernel; false if it is the one that the device gets by itself. */
  readonly isForced: boolean;
  /** Operations that a dispatch counts for each byte that it must move: the most of the row's. 0 if it counts none. */
  readonly intensity: number;
}

/** A pipeline that was compiled. */
export interface CompiledPipeline {
  readonly label: string;
  /** Name of the module. */
  readonly shader: string;
  readonly entryPoint: string;
  /** The module's WGSL, without preludes. */
  readonly code: string;
  readonly element: string;
  readonly uses: readonly Use[];
}

/** Pipelines that were compiled, in order. */
export interface Manifest {
  /** The driver's description of itself. */
  readonly adapter: string;
  readonly pipelines: readonly CompiledPipeline[];
}

const STANDARD_ERROR = 2;

/** Says on standard error that what the driver lists next is the pipeline with this index of the manifest. */
export const announce = (index: number): void => void writeSync(STANDARD_ERROR, marker(index));

/**
 * Writes the manifest and ends the process, which has compiled everything. By a signal: the driver crashes where it is
 * torn down without its hardware.
 */
export function finish(path: string, manifest: Manifest): void {
  writeFileSync(path, JSON.stringify(manifest));
  process.kill(process.pid, "SIGKILL");
}
