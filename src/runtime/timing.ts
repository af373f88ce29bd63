import type { KernelTime } from "./profiler.ts";

/** What timing asks of a device. */
export interface TimedDevice {
  readonly gpu: { readonly features: ReadonlySet<string> };
  /** See `Device.profile`. */
  profile(run: () => void): Promise<readonly KernelTime[]>;
  /** See `Device.finish`. */
  finish(): Promise<void>;
}

/**
 * Milliseconds that the work recorded by `run` takes: GPU time, the sum over its dispatches, each timed by itself, so
 * that clears and uploads between them do not count; where the device has no timestamps, the time from the first call
 * until the GPU is done.
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
