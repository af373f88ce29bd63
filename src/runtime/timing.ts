import type { KernelTime } from "./profiler.ts";

/** The part of a device that timing uses. */
export interface TimedDevice {
  readonly gpu: { readonly features: ReadonlySet<string> };
  /** See `Device.profile`. */
  profile(run: () => void): Promise<readonly KernelTime[]>;
  /** See `Device.finish`. */
  finish(): Promise<void>;
}

/**
 * Milliseconds taken by the work that `run` records. GPU time: the sum over dispatches, each timed separately, without
 * the clears and uploads between them. If the device has no timestamps: wall time from the first call until the GPU is
 * done.
 */
export async function millisecondsOf(device: TimedDevice, run: () => void): Promise<number> {
  if (device.gpu.features.has("timestamp-query")) {
    const used = await device.profile(run);
    return used.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  }
  await device.finish();
  const start = performance.now();
  run();
  await device.finish();
  return performance.now() - start;
}
