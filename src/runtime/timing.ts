import type { Device } from "./device.ts";

/**
 * Time of what `run` records: GPU time, the sum over its dispatches, each timed by itself, so that clears and uploads between them do
 * not count; where the device has no timestamps, the time from the first call to the last one's end.
 */
export async function millisecondsOf(device: Device, run: () => void): Promise<number> {
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
