// npm run endurance -- [--steps N] [--predictions N]: trains and inspects for long, and reports memory use
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import type { Device } from "../../src/runtime/device.ts";
import { withArguments } from "../harness/command_line.ts";
import { device } from "../harness/device.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { inputsOf } from "../harness/inputs.ts";

const [STEPS, PREDICTIONS] = [2000, 5000];
const RECORDS = 10; // of each
const SIZE = 64;
const FIRST_STAGE = 0.1; // of the steps

/** Memory in use at a moment. */
export interface MemoryRecord {
  readonly what: "steps" | "predictions";
  readonly count: number;
  /** Resident set of the process, in bytes. */
  readonly resident: number;
  /** Memory of the device, lent to tensors or free, in bytes. */
  readonly device: number;
  /** Number of device buffers ever created. */
  readonly buffers: number;
}

/**
 * Trains for a number of steps and inspects a number of images one at a time; records memory use ten times during each.
 */
export async function endurance(
  device: Device,
  steps: number,
  predictions: number,
  report: (record: MemoryRecord) => void,
): Promise<MemoryRecord[]> {
  const records: MemoryRecord[] = [];
  const record = (what: MemoryRecord["what"], count: number): void => {
    globalThis.gc?.();
    const { bytes, freeBytes, buffersCreated } = device.memory();
    records.push({
      what,
      count,
      resident: process.memoryUsage().rss,
      device: bytes + freeBytes,
      buffers: buffersCreated,
    });
    report(records.at(-1)!);
  };
  async function* images(): AsyncGenerator<TrainingImage> {
    for (let i = 0; i < 20; i++) yield { className: "made up", image: madeUpPicture(SIZE, i) };
  }
  const first = Math.round(FIRST_STAGE * steps);
  const lengths = {
    epochsAbnormal: 1,
    epochsNormal: 1,
    leastAbnormal: first,
    leastNormal: steps - first,
    enoughHits: 1,
  };
  const training = await Training.begin(device, images(), {
    inputSize: SIZE,
    batch: 2,
    form: "published",
    decoder: "tiny",
    ...lengths,
  });
  for await (const { taken } of training.fit()) if (taken % (steps / RECORDS) === 0) record("steps", taken);
  const detector = await training.finish();
  for (let i = 1; i <= predictions; i++) {
    await detector.inspect(inputsOf([madeUpPicture(SIZE, i % 50)]));
    if (i % (predictions / RECORDS) === 0) record("predictions", i);
  }
  return records;
}

/**
 * Growth from the third record of a kind to its last; during the first two, kernels, captured steps and pools fill up.
 * Empty if nothing grew.
 */
export function growthIn(records: readonly MemoryRecord[]): string[] {
  return (["steps", "predictions"] as const).flatMap((what) => {
    const [, , from, ...later] = records.filter((record) => record.what === what);
    const to = later.at(-1);
    if (!from || !to) return [];
    const grown: string[] = [];
    if (to.device > from.device || to.buffers > from.buffers)
      grown.push(
        `${what}: device memory from ${from.device} to ${to.device} bytes, in ${to.buffers - from.buffers} new buffers`,
      );
    if (to.resident > 1.1 * from.resident)
      grown.push(`${what}: the process from ${from.resident} to ${to.resident} bytes`);
    return grown;
  });
}

/** Runs it, prints, and returns the exit code: 1 if something grew. */
export const main = (args: readonly string[]): Promise<number> =>
  withArguments(
    args,
    ["steps", "predictions"],
    ({ number }) => [number("steps") ?? STEPS, number("predictions") ?? PREDICTIONS] as const,
    run,
  );

async function run([steps, predictions]: readonly [steps: number, predictions: number]): Promise<number> {
  const line = ({ what, count, resident, device, buffers }: MemoryRecord): void =>
    console.log(
      `${String(count).padStart(6)} ${what.padEnd(12)}process ${(resident / 1e6).toFixed(0).padStart(4)} MB, device ${(device / 1e6).toFixed(2)} MB in ${buffers} buffers`,
    );
  const grown = growthIn(await endurance(device, steps, predictions, line));
  console.log(grown.length > 0 ? grown.join("\n") : "nothing grew");
  return grown.length > 0 ? 1 : 0;
}
