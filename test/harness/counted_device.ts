import { expect } from "vitest";
import { openDevice } from "../../src/node/device.ts";
import type { Device } from "../../src/runtime/device.ts";

const MEBIBYTE = 2 ** 20;
const SLACK = 1.02; // what is predicted is at most so much more than what is used
const OWN = 1 << 18; // of a device, made before they are counted

/** A device of its own, and the bytes of its buffers, counted where they are made and destroyed. */
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

/** Whether a prediction covers what was used, and little more. */
export function expectCovered(predicted: number, used: number): void {
  expect(used).toBeGreaterThan(MEBIBYTE);
  expect(used).toBeLessThanOrEqual(predicted);
  expect(predicted).toBeLessThanOrEqual(SLACK * used);
}
