import { expect } from "vitest";
import { openDevice } from "../../src/node/device.ts";
import type { Device } from "../../src/runtime/device.ts";

const MEBIBYTE = 2 ** 20;
const SLACK = 1.02; // largest ratio of predicted to used memory
const OWN = 1 << 18; // bytes of a device's own buffers, made before counting starts

/** A separate device whose buffers are counted when they are created and destroyed. */
export async function countedDevice(): Promise<{ readonly own: Device; readonly peak: () => number }> {
  const own = await openDevice();
  let [bytes, peak] = [OWN, OWN];
  const create = own.gpu.createBuffer.bind(own.gpu);
  own.gpu.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    peak = Math.max(peak, (bytes += descriptor.size));
    buffer.destroy = () => {
      bytes -= descriptor.size;
      return destroy();
    };
    return buffer;
  };
  return { own, peak: () => peak };
}

/** Expects a prediction to cover the memory used, with little to spare. */
export function expectCovered(predicted: number, used: number): void {
  expect(used).toBeGreaterThan(MEBIBYTE);
  expect(used).toBeLessThanOrEqual(predicted);
  expect(predicted).toBeLessThanOrEqual(SLACK * used);
}
