import module from "../../shaders/bench/peak.wgsl";
import type { Device } from "../runtime/device.ts";
import { empty, zeros } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

/** Highest rates that a device reaches. */
export interface Roofs {
  /** f32 multiplications and additions, in 10^9 per second. */
  readonly gigaflops: number;
  /** Bytes read and written by an f32 copy, in 10^9 per second. */
  readonly gigabytes: number;
}

// A chain's first length, and packs of a copy, whose two buffers have the largest size that every device allows.
const [CHAIN_PACKS, CHAIN_STEPS, STREAM_PACKS, SAMPLES] = [1 << 17, 64, 1 << 23, 5];
const LEAST_MILLISECONDS = 10; // of a sample, for which the way to the GPU and back does not count
const MOST_GROWTH = 1 << 14; // of a sample, against clocks that stand still

/**
 * Measures a device's highest rates: the fastest of several samples, each long enough to be measured by the host. Nothing
 * else may use the device meanwhile.
 */
export async function measureRoofs(device: Device): Promise<Roofs> {
  using _scope = device.scope({ awaits: true });
  const tensorsOf = (packs: number) => ({ input: zeros(device, [4 * packs]), output: empty(device, [4 * packs]) });
  const millisecondsOf = async (run: () => void): Promise<number> => {
    const start = performance.now();
    run();
    await device.finish();
    return performance.now() - start;
  };
  /** Least milliseconds for each unit of work. */
  const best = async (run: (times: number) => void): Promise<number> => {
    await millisecondsOf(() => run(1)); // compiles
    let [times, milliseconds] = [1, await millisecondsOf(() => run(1))];
    while (milliseconds < LEAST_MILLISECONDS && times < MOST_GROWTH)
      milliseconds = await millisecondsOf(() => run((times *= 2)));
    let least = milliseconds;
    for (let i = 1; i < SAMPLES; i++) least = Math.min(least, await millisecondsOf(() => run(times)));
    return least / times;
  };
  const pass = (entryPoint: string, packs: number, tensors: ReturnType<typeof tensorsOf>, steps: number): void =>
    launch({ module, entryPoint, element: "f32x4", tensors, params: { packs, steps }, size: { invocations: packs } });
  const short = tensorsOf(CHAIN_PACKS);
  const chains = await best((times) => pass("multiply_add", CHAIN_PACKS, short, CHAIN_STEPS * times));
  const long = tensorsOf(STREAM_PACKS);
  const stream = await best((times) => {
    for (let i = 0; i < times; i++) pass("stream", STREAM_PACKS, long, 0);
  });
  return {
    gigaflops: (16 * 4 * CHAIN_PACKS * CHAIN_STEPS) / chains / 1e6,
    gigabytes: (2 * 16 * STREAM_PACKS) / stream / 1e6,
  };
}
