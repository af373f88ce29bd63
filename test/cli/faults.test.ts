// Devices that are lost, that run out of memory, and training that comes to nothing: what follows is the same as if
// nothing had been, or one line.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { messages } from "../../src/cli/terminal/messages.ts";
import { inspectImages, type InspectionOptions } from "../../src/node/inspection/pipeline.ts";
import { KeptDetector } from "../../src/node/inspection/kept_detector.ts";
import { trainThrough, type TrainThroughOptions } from "../../src/cli/train/train_run.ts";
import type { Detector } from "../../src/detection/detector.ts";
import type { TrainingOptions } from "../../src/detection/training_options.ts";
import { hashFile } from "../../src/node/files/hash.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { loadDetector, saveDetector, saveMetrics } from "../../src/node/detector_file.ts";
import { openDevice } from "../../src/node/device.ts";
import { TrainingFiles, type SavedTraining } from "../../src/node/training_files.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { Device } from "../../src/runtime/device.ts";
import { AdapterError, DeviceLostError, DivergedError, OutOfMemoryError } from "../../src/runtime/errors.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const quiet = vi.spyOn(messages, "write").mockImplementation(() => true);
afterAll(() => quiet.mockRestore());

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 12, good: 3, defective: 2, seed: 2 });
const dataset = await readDataset(at("set", "plate"));

const opened: Device[] = [];
afterEach(() => {
  for (const own of opened.splice(0)) own.destroy();
});
async function own(): Promise<Device> {
  opened.push(await openDevice());
  return opened.at(-1)!;
}

/** A device, and what it was asked for. */
async function counted(): Promise<{
  readonly device: Device;
  readonly asked: { submissions: number; largest: number };
}> {
  const device = await own();
  const { gpu } = device;
  const create = gpu.createBuffer.bind(gpu);
  const asked = { submissions: 0, largest: 0 };
  device.submit = () => {
    asked.submissions++;
    Device.prototype.submit.call(device);
  };
  gpu.createBuffer = (descriptor) => {
    asked.largest = Math.max(asked.largest, descriptor.size);
    return create(descriptor);
  };
  return { device, asked };
}

/** A device that is lost at its n-th submission. */
async function lostAfter(submissions: number): Promise<Device> {
  const doomed = await own();
  let left = submissions;
  doomed.submit = () => {
    if (--left === 0) doomed.destroy();
    Device.prototype.submit.call(doomed);
  };
  return doomed;
}

/**
 * A device whose memory ends before so many bytes at a time: as WebGPU says it, with a buffer that is none and a word
 * to who listens.
 */
async function smallMemory(bytes: number): Promise<Device> {
  const small = await own();
  const { gpu } = small;
  const [create, pop] = [gpu.createBuffer.bind(gpu), gpu.popErrorScope.bind(gpu)];
  let ranOut = false;
  Object.assign(gpu, {
    createBuffer(descriptor: GPUBufferDescriptor) {
      if (descriptor.size <= bytes) return create(descriptor);
      ranOut = true;
      gpu.pushErrorScope("validation");
      const none = create({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
      void pop();
      return none;
    },
    popErrorScope() {
      const popped = pop();
      if (!ranOut) return popped;
      ranOut = false;
      return popped.then(() => ({ message: "no more" }));
    },
  });
  return small;
}

const OPTIONS: TrainingOptions = {
  inputSize: 64,
  batch: 2,
  epochsAbnormal: 1,
  epochsNormal: 1,
  epochsResidual: 1,
  leastAbnormal: 10,
  leastNormal: 20,
  leastResidual: 10,
  seed: 3,
};
const trained = (
  run: string,
  devices: readonly (() => Promise<Device>)[],
  changes: Partial<TrainThroughOptions> = {},
  options: TrainingOptions = {},
) => {
  const left = [...devices];
  return trainThrough(at("set", "plate"), dataset, at(run), {
    openDevice: () => (left.shift() ?? own)(),
    trainingOptions: async () => ({ ...OPTIONS, ...options }),
    autoBatch: false,
    strict: true,
    resume: false,
    region: null,
    kept: { roi: null, ignore: null, anomalies: null },
    saveEvery: 7,
    ...changes,
  }).then(() => readFile(at(run, "model.safetensors")));
};
for (const name of ["whole", "diverged", "again", "run", "damaged", "auto", "half", "refused"]) await mkdir(at(name));
const undisturbed = await counted();
const whole = await trained("whole", [() => Promise.resolve(undisturbed.device)]);

describe("a device that is lost in training", () => {
  // Among images, at the first step, between steps and savings, at the end of a stage, while the detector is
  // calibrated.
  test.each([0.01, 0.4, 0.8, 0.995])(
    "after %f of its submissions is followed by another, to the same bytes",
    async (share) => {
      const run = `lost${share}`;
      await mkdir(at(run));
      const doomed = await lostAfter(Math.ceil(share * undisturbed.asked.submissions));
      expect((await trained(run, [() => Promise.resolve(doomed)])).equals(whole)).toBe(true);
      expect(() => doomed.submit()).toThrow(DeviceLostError); // it was
    },
  );

  test("again and again is an error, as soon as nothing is saved in between", async () => {
    await expect(trained("again", [() => lostAfter(2), () => lostAfter(2)])).rejects.toThrow(
      "the GPU device was destroyed",
    );
    expect((await trained("again", [])).equals(whole)).toBe(true);
  });
});

test("of two saved states the last is damaged: the one before is gone on with; where both are, that is said with what to do", async () => {
  const none = () => Promise.reject(new AdapterError("no other"));
  await expect(
    trained("damaged", [() => lostAfter(Math.ceil(0.7 * undisturbed.asked.submissions)), none]),
  ).rejects.toThrow("no other");
  const [last, before] = (await new TrainingFiles(at("damaged")).saved()) as [SavedTraining, SavedTraining];
  const cut = async ({ path }: SavedTraining) => writeFile(path, (await readFile(path)).subarray(0, 1000));
  await cut(last);
  const beforeBytes = await readFile(before.path);
  await cut(before);
  await expect(trained("damaged", [], { resume: true })).rejects.toThrow(
    /is not a valid safetensors file: .*; to start again, remove \S+training_states$/,
  );
  await writeFile(before.path, beforeBytes);
  expect((await trained("damaged", [], { resume: true })).equals(whole)).toBe(true);
  expect(quiet.mock.calls.map(([text]) => String(text))).toContainEqual(
    expect.stringMatching(/is not a valid safetensors file: .*; trying /),
  );
});

test("training without memory for a batch begins anew with half of it, if it may; else that is said", async () => {
  const small = () => smallMemory(1000);
  expect(
    (await trained("auto", [small], { autoBatch: true })).equals(await trained("half", [], {}, { batch: 1 })),
  ).toBe(true);
  await expect(trained("refused", [small])).rejects.toThrow(
    /^the GPU is out of memory .*; --set autoBatch=true starts again with half of 2$/,
  );
});

const options: InspectionOptions = {
  good: { threshold: 2, typical: 1, pixelThreshold: 3 },
  threshold: 2,
  pixelThreshold: 3,
  minArea: null,
  region: null,
  pictures: new Map(),
  batch: 4,
};
const onNotice = (): void => undefined;
const images = dataset.classes[0]!.train.map(({ path }) => ({ image: at("set", "plate", path), picture: path }));
await saveDetector(await madeUpDetector(device, 64, { decoder: "tiny" }), at("run"));

async function inspected(devices: readonly (() => Promise<Device>)[], mayHalve = false) {
  const left = [...devices];
  const open = async () => loadDetector(await (left.shift() ?? own)(), at("run"));
  const batches = [];
  for await (const batch of inspectImages(
    new KeptDetector(await open(), open, options.batch, mayHalve, onNotice),
    images,
    options,
  ))
    batches.push(batch);
  return batches.flat();
}

describe("in prediction", () => {
  test.each([0.01, 0.6, 0.99])(
    "a device that is lost after %f of its submissions is followed by another, to the same bits",
    async (share) => {
      const { device, asked } = await counted();
      await loadDetector(device, at("run"));
      const loading = asked.submissions;
      const before = await inspected([() => Promise.resolve(device)]);
      expect(before).toHaveLength(images.length);
      expect(
        await inspected([() => lostAfter(loading + Math.ceil(share * (asked.submissions - 2 * loading)))]),
      ).toEqual(before);
    },
  );

  test("devices that are lost whatever they are given are an error", async () => {
    const doomed = async (): Promise<Device> => {
      const one = await own();
      return Object.assign(one, { read: () => Promise.reject(new DeviceLostError("gone")) });
    };
    await expect(inspected([doomed, doomed, doomed, doomed, doomed])).rejects.toThrow("gone");
  });

  test("a device that is lost where the model's file was replaced is an error: nothing is inspected by another model", async () => {
    const sha256 = await hashFile(at("run", "model.safetensors"));
    const [mine, other] = await Promise.all([
      readFile(at("run", "model.safetensors")),
      readFile(at("whole", "model.safetensors")),
    ]);
    await mkdir(at("replaced"));
    await writeFile(at("replaced", "model.safetensors"), mine);
    const open = async () => loadDetector(await own(), at("replaced"), { sha256 });
    const kept = new KeptDetector(await open(), open, options.batch, false, onNotice);
    await writeFile(at("replaced", "model.safetensors"), other);
    opened.at(-1)!.destroy();
    const ended: Promise<unknown> = inspectImages(kept, images, options).next();
    await expect(ended).rejects.toThrow(
      /^\S+model\.safetensors was replaced while it was in use: it had SHA-256 \w{12}\.\.\., now \w{12}\.\.\.; run the command again$/,
    );
    await expect(saveMetrics(at("replaced"), {}, sha256)).rejects.toThrow("was replaced while it was in use");
    expect((await readFile(at("replaced", "model.safetensors"))).equals(other)).toBe(true);
  });

  test("an image that is gone is told apart from one that is damaged", async () => {
    await writeFile(at("damaged.png"), "no picture");
    const items = ["absent.png", "damaged.png", "set/absent/a.png"].map((name) => ({ image: at(name), picture: name }));
    const open = async () => loadDetector(await own(), at("run"));
    const batches = [];
    const kept = new KeptDetector(await open(), open, 4, false, onNotice);
    for await (const batch of inspectImages(kept, items, options)) batches.push(batch);
    expect(batches.flat().map(({ item, result, failure }) => [item.picture, result.verdict, failure])).toEqual([
      ["absent.png", "unreadable", "gone"],
      ["damaged.png", "unreadable", "unusable"],
      ["set/absent/a.png", "unreadable", "gone"],
    ]);
  });

  test("memory for half a batch is enough, if it may be halved; else that is said", async () => {
    const { device, asked } = await counted();
    const before = await inspected([() => Promise.resolve(device)]);
    const small = () => smallMemory(0.75 * asked.largest);
    expect(await inspected([small, small, small], true)).toEqual(before);
    await expect(inspected([small])).rejects.toThrow(
      /^the GPU is out of memory with \d+ bytes in use \(allocating \d+ bytes: no more\): use a smaller batch, on a new device$/,
    );
  });
});

test("prediction has ended when nothing is compiled any more, whatever ended it", async () => {
  let compiling = 0;
  const prepare = async (): Promise<void> => {
    compiling++;
    await setTimeout(50);
    compiling--;
  };
  const kept = new KeptDetector(
    { prepare, inspectEach: () => Promise.resolve([]), config: { input: {} } } as unknown as Detector,
    () => Promise.reject(new Error("no other")),
    options.batch,
    false,
    onNotice,
  );
  const left = inspectImages(kept, [{ image: at("absent.png"), picture: "" }], options);
  expect((await left.next()).value).toMatchObject([{ failure: "gone" }]);
  expect(compiling).toBe(1);
  await left.return(undefined);
  expect(compiling).toBe(0);
  expect(
    await inspectImages(
      new KeptDetector({} as Detector, () => Promise.reject(new Error("no other")), options.batch, false, onNotice),
      [],
      options,
    ).next(),
  ).toEqual({ done: true, value: undefined });
});

describe("a device without memory", () => {
  test("says so with what it holds, whatever else follows from that; the next one works", async () => {
    const small = await smallMemory(1000);
    const failure: unknown = await toArray(empty(small, [500])).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OutOfMemoryError);
    expect((failure as Error).message).toMatch(
      /^the GPU is out of memory with 2048 bytes in use \(allocating 2048 bytes: no more\): use a smaller batch, on a new device$/,
    );
    expect(await toArray(fromArray(await own(), [1], Float32Array.of(2)))).toEqual(Float32Array.of(2));
  });
});

test("training that diverges stops with the step, a tensor and the last good state, and saves nothing after it", async () => {
  const options = { decoder: "tiny", pasteIntensity: [1e38, 3e38] } as const;
  const failure: unknown = await trained("diverged", [], { saveEvery: 1 }, options).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DivergedError);
  expect((failure as Error).message).toMatch(
    /^training diverged: .*; pasteIntensity 3e\+38 is far outside the useful range: use a smaller value; no state was saved before$/,
  );
  expect((failure as Error).message).toMatch(/tensor \S+ holds (NaN|-?Infinity) at element \d+/);
});
