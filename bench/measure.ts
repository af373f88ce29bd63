// How a kernel is timed, in Node and in a page alike.
import type { Device } from "../src/runtime/device.ts";
import type { Measured } from "./kernels.ts";

const LEAST_MILLISECONDS = 30; // for a sample
const MOST_CALLS = 300; // in a sample
export const SAMPLES = 7;

/** A kernel's time and rates, rounded to three digits. */
export interface KernelRate {
  readonly kernel: string;
  readonly what: string;
  readonly milliseconds: number;
  /** The fastest sample. */
  readonly least: number;
  readonly gigabytes: number;
  readonly gigaflops: number;
}

const rounded = (x: number): number => Number(x.toPrecision(3));

/**
 * Medians of several samples of a call: GPU time, the sum over its dispatches, each timed by itself, so that clears and uploads
 * between them do not count; where the device has no timestamps, the time from the first call to the last one's end.
 */
export async function measureKernel(device: Device, { kernel, what, bytes, flops, prepare }: Measured): Promise<KernelRate> {
  using _scope = device.scope();
  const run = prepare(device);
  const repeat = (times: number): void => {
    for (let i = 0; i < times; i++) {
      using _inner = device.scope();
      run();
    }
  };
  const sample = async (times: number): Promise<number> => {
    if (device.gpu.features.has("timestamp-query")) {
      const used = await device.profile(() => repeat(times));
      return used.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / times;
    }
    await device.finish();
    const start = performance.now();
    repeat(times);
    await device.finish();
    return (performance.now() - start) / times;
  };
  await sample(1);
  const times = Math.max(1, Math.min(MOST_CALLS, Math.ceil(LEAST_MILLISECONDS / Math.max(await sample(1), 1e-3))));
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) samples.push(await sample(times));
  samples.sort((a, b) => a - b);
  const median = Math.max(samples[SAMPLES >> 1]!, 1e-6);
  return { kernel, what, milliseconds: rounded(median), least: rounded(samples[0]!), gigabytes: rounded(bytes / median / 1e6), gigaflops: rounded(flops / median / 1e6) };
}
