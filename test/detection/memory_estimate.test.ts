import { expect, test } from "vitest";
import { estimateMemory, inferenceBytes, planMemoryModel, trainingBytes } from "../../src/detection/memory_estimate.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import type { GradOptions } from "../../src/methods/grad/options.ts";
import { countedDevice, expectCovered } from "../harness/counted_device.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { inputsOf } from "../harness/inputs.ts";

const MEBIBYTE = 2 ** 20;
const ROWS = 32; // of made-up detectors
const CHUNK = 1 << 26; // that the features' store takes at a time
const picture = madeUpPicture(1024, 1); // what predictions are stated for

const embedded = (options: GradOptions = {}) =>
  planMemoryModel(device, { inputSize: 96, images: 8, options: { decoder: "tiny", ...options } });

test.each([1, 3])("batches of %i: the memory that inspection takes is predicted", async (batch) => {
  const { own, peak } = await countedDevice();
  const detector = await madeUpDetector(own, 96, { decoder: "tiny" });
  for (let i = 0; i < 2; i++) await detector.inspect(inputsOf(Array.from({ length: batch }, () => picture)));
  expectCovered(await inferenceBytes(own, await embedded({ rows: ROWS }), batch), peak());
  own.destroy();
});

test.skipIf(!device.gpu.features.has("shader-f16"))(
  "the memory that inspection in half precision takes is predicted",
  async () => {
    const { own, peak } = await countedDevice();
    const detector = await madeUpDetector(own, 96, { decoder: "tiny" }, null, "stretch", { half: true });
    await detector.inspect(inputsOf([picture]));
    expectCovered(await inferenceBytes(own, await embedded({ rows: ROWS }), 1, true), peak());
    own.destroy();
  },
);

test.each([true, false])(
  "the memory that training takes is predicted, blocks computed twice: %s",
  async (recompute) => {
    const { own, peak } = await countedDevice();
    async function* good(): AsyncGenerator<TrainingImage> {
      for (let i = 0; i < 8; i++) yield { className: "bolt", image: i === 0 ? picture : madeUpPicture(96, i) };
    }
    const options = {
      backbone: "embedded",
      decoder: "tiny",
      inputSize: 96,
      epochsAbnormal: 1,
      epochsNormal: 1,
      leastAbnormal: 8,
      leastNormal: 8,
      enoughHits: 1,
      batch: 8,
      seed: 0,
      folds: 0,
      recompute,
    } as const;
    const training = await Training.begin(own, good(), options);
    for await (const _step of training.fit());
    expectCovered(await trainingBytes(own, await embedded({ batch: 8, recompute })), peak() - CHUNK);
    own.destroy();
  },
);

test("EfficientNet-B6 with the mobile decoder trains 16 images a step within 2 GiB, and inspects one within 400 MiB, 250 in half precision", async () => {
  const model = await planMemoryModel(device, {
    backbone: "efficientnet-b6",
    images: 96,
    options: { decoder: "mobile" },
  });
  const { options, training, inference } = await estimateMemory(device, model, {});
  expect(options).toMatchObject({ batch: 16, recompute: true });
  expect(training.bytes).toBeLessThanOrEqual(2048 * MEBIBYTE);
  expect(inference).toMatchObject({ batch: 1 });
  expect(inference.bytes).toBeLessThanOrEqual(400 * MEBIBYTE);
  if (!device.gpu.features.has("shader-f16"))
    return expect(estimateMemory(device, model, { half: true })).rejects.toThrow(
      "half precision needs the feature shader-f16",
    );
  const { inference: half } = await estimateMemory(device, model, { half: true });
  expect(half).toMatchObject({ batch: 1, half: true });
  expect(half.bytes).toBeLessThanOrEqual(250 * MEBIBYTE);
});
