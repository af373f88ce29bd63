import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { Training } from "../../src/detection/training.ts";
import { openDevice } from "../../src/node/device.ts";
import { relu } from "../../src/ops/activation.ts";
import { AdamW } from "../../src/optim/adam.ts";
import type { Device } from "../../src/runtime/device.ts";
import { DeviceLostError } from "../../src/runtime/errors.ts";
import { fromArray, release, requireGrad, toArray, zeros } from "../../src/tensor/tensor.ts";
import { madeUpDetector } from "../harness/made_up_detector.ts";
import { inputsOf } from "../harness/inputs.ts";

const opened: Device[] = [];
afterEach(() => {
  for (const own of opened.splice(0)) own.destroy();
});
async function own(): Promise<Device> {
  opened.push(await openDevice());
  return opened.at(-1)!;
}

const SIZE = 64;
/** Stripes: images of one even colour are refused. */
const picture = (value: number) => ({
  width: SIZE,
  height: SIZE,
  data: Uint8Array.from({ length: 4 * SIZE * SIZE }, (_, i) => value + (i % 40)),
});

/** Everything that is released, of a device with work recorded and not yet sent. */
async function holdings(device: Device): Promise<() => void> {
  const detector = await madeUpDetector(device, SIZE, { decoder: "tiny" });
  await detector.inspect(inputsOf([picture(90)]));
  async function* images() {
    for (const value of [80, 90, 100]) yield { className: "a", image: picture(value) };
  }
  const training = await Training.begin(device, images(), { inputSize: SIZE, batch: 2, folds: 0, decoder: "tiny" });
  for await (const { taken } of training.fit()) if (taken === 2) break;
  const tensor = fromArray(device, [4], Float32Array.of(1, 2, 3, 4));
  const { program } = device.capture(() => relu(tensor));
  const optimizer = new AdamW([{ parameters: [requireGrad(zeros(device, [4]))], learningRate: 0.1 }]);
  const scope = device.scope({ awaits: true });
  relu(tensor);
  program.run();
  return () => {
    scope[Symbol.dispose]();
    program.release();
    optimizer.release();
    release(tensor);
    training.release();
    detector.release();
    device.trim();
    device.destroy();
  };
}

describe("everything can be released, and the device destroyed again,", () => {
  test("where the device was destroyed, at once and once that is known", async () => {
    for (const isKnown of [false, true]) {
      const device = await own();
      const releaseAll = await holdings(device);
      device.destroy();
      if (isKnown) await device.lost;
      expect(releaseAll).not.toThrow();
    }
  });

  test("where it was lost, before and after that is known", async () => {
    for (const isKnown of [false, true]) {
      const device = await own();
      const releaseAll = await holdings(device);
      device.gpu.destroy(); // as a loss: by nothing that this library did
      if (isKnown) await device.lost;
      expect(releaseAll).not.toThrow();
    }
  });

  test("where an error is under way, which is for the next call that asks", async () => {
    const device = await own();
    const releaseAll = await holdings(device);
    device.gpu.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await device.gpu.queue.onSubmittedWorkDone();
    expect(releaseAll).not.toThrow();
    await expect((async () => toArray(zeros(device, [1])))()).rejects.toThrow(DeviceLostError);
  });
});

test("a destroyed device is let go of, though kernels were compiled on it: its threads end, and no more stay with the ninth than with the second", async () => {
  const script = `
    import { readdirSync } from "node:fs";
    import { setTimeout as pause } from "node:timers/promises";
    const { openDevice, fromArray, matmul } = await import(process.argv[1]);
    const references = [];
    async function once() {
      const device = await openDevice();
      const square = () => fromArray(device, [1, 4, 4], new Float32Array(16));
      await device.prepare(() => matmul(square(), square()));
      matmul(square(), square());
      await device.finish();
      device.destroy();
      await device.lost;
      references.push(new WeakRef(device), new WeakRef(device.gpu));
    }
    async function threads() {
      for (let i = 0; i < 5; i++) {
        await pause(20);
        globalThis.gc();
      }
      return readdirSync("/proc/self/task").length;
    }
    const counts = [];
    for (let i = 1; i <= 9; i++) {
      await once();
      if (i === 2 || i === 9) counts.push(await threads());
    }
    console.log(JSON.stringify({ counts, alive: references.filter((reference) => reference.deref()).length }));
    process.exit(0);`;
  const words = [
    "--expose-gc",
    "--input-type=module",
    "-e",
    script,
    new URL("../../dist/node.js", import.meta.url).href,
  ];
  const { counts, alive } = JSON.parse((await promisify(execFile)(process.execPath, words)).stdout) as {
    readonly counts: readonly [number, number];
    readonly alive: number;
  };
  expect(alive).toBe(0);
  expect(counts[1]).toBe(counts[0]);
});
