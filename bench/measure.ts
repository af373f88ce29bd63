// Timing of kernels, in Node and in a page alike.
import type { Device } from "../src/runtime/device.ts";
import { millisecondsOf } from "../src/runtime/timing.ts";
import type { Measured } from "./kernels/rows.ts";

const LEAST_MILLISECONDS = 30; // of a sample
const MOST_CALLS = 300; // in a sample
const [FEWEST, MOST_MILLISECONDS] = [3, 1500]; // minimum number of samples, and the time limit for further ones
export const SAMPLES = 7;

/** A kernel's time and rates, rounded to three digits. */
export interface KernelRate {
  readonly kernel: string;
  readonly what: string;
  readonly milliseconds: number;
  /** Time of the fastest sample. */
  readonly least: number;
  readonly gigabytes: number;
  readonly gigaflops: number;
}

const rounded = (x: number): number => Number(x.toPrecision(3));

/** Medians of several samples of a call, fewer if they take long; see `millisecondsOf`. */
export async function measureKernel(
  device: Device,
  { kernel, what, bytes, flops, prepare }: Measured,
): Promise<KernelRate> {
  using _scope = device.scope({ awaits: true });
  const run = prepare(device);
  const sample = async (times: number): Promise<number> => {
    const all = await millisecondsOf(device, () => {
      for (let i = 0; i < times; i++) {
        using _inner = device.scope();
        run();
      }
    });
    return all / times;
  };
  await sample(1);
  const once = Math.max(await sample(1), 1e-3);
  const times = Math.max(1, Math.min(MOST_CALLS, Math.ceil(LEAST_MILLISECONDS / once)));
  const count = Math.max(FEWEST, Math.min(SAMPLES, Math.floor(MOST_MILLISECONDS / (times * once))));
  const samples = times === 1 ? [once] : [];
  while (samples.length < count) samples.push(await sample(times));
  samples.sort((a, b) => a - b);
  const median = Math.max(samples[count >> 1]!, 1e-6);
  return {
    kernel,
    what,
    milliseconds: rounded(median),
    least: rounded(samples[0]!),
    gigabytes: rounded(bytes / median / 1e6),
    gigaflops: rounded(flops / median / 1e6),
  };
}
