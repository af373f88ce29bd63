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

const [CHAIN_PACKS, CHAIN_STEPS, STREAM_PACKS, SAMPLES] = [1 << 14, 256, 1 << 22, 5];

/** Measures a device's highest rates: the fastest of several samples. Nothing else may use the device meanwhile. */
export async function measureRoofs(device: Device): Promise<Roofs> {
  const best = async (entryPoint: string, packs: number, steps: number): Promise<number> => {
    using _scope = device.scope({ awaits: true });
    const tensors = { input: zeros(device, [4 * packs]), output: empty(device, [4 * packs]) };
    const [params, size] = [{ packs, steps }, { invocations: packs }];
    const run = (): void => launch({ module, entryPoint, element: "f32x4", tensors, params, size });
    run();
    await device.finish();
    let least = Infinity;
    for (let i = 0; i < SAMPLES; i++) {
      const start = performance.now();
      run();
      await device.finish();
      least = Math.min(least, performance.now() - start);
    }
    return least;
  };
  const chains = await best("multiply_add", CHAIN_PACKS, CHAIN_STEPS);
  const stream = await best("stream", STREAM_PACKS, 0);
  return {
    gigaflops: (16 * 4 * CHAIN_PACKS * CHAIN_STEPS) / chains / 1e6,
    gigabytes: (2 * 16 * STREAM_PACKS) / stream / 1e6,
  };
}
