import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { createBackbone } from "../../src/backbones/registry.ts";
import { encodeDetector } from "../../src/detection/model_file.ts";
import { FeatureMaker } from "../../src/detection/features.ts";
import { grad } from "../../src/methods/grad/method.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { PictureRegion } from "../../src/detection/region.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingProgress, TrainingStep } from "../../src/detection/training_options.ts";
import { trainDetector } from "../../src/detection/train_detector.ts";
import type { TrainingOptionsOf } from "../../src/detection/training_options.ts";
import { InputError, OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { fromArray, release, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { inputsOf } from "../harness/inputs.ts";

const SIZE = 64;
const [plate] = synthesise({ size: SIZE, train: 11, good: 1, defective: 1, seed: 3 }) as [
  ReturnType<typeof synthesise>[number],
];
const OPTIONS: TrainingOptionsOf<"grad"> = {
  form: "published",
  decoder: "tiny",
  inputSize: SIZE,
  epochsAbnormal: 1,
  epochsNormal: 1,
  batch: 4,
  seed: 7,
};

/** The first pictures of a set, as a class. */
async function* pictures(count: number, className = "plate"): AsyncGenerator<TrainingImage> {
  for (const { rgba } of plate.train.slice(0, count))
    yield { className, image: { width: SIZE, height: SIZE, data: rgba } };
}

const begin = (count: number, options: TrainingOptionsOf<"grad"> = {}) =>
  Training.begin(device, pictures(count), { ...OPTIONS, ...options });

/** Takes steps until there are so many in all, or to the end. */
async function stepTo(training: Training, taken = Infinity): Promise<TrainingStep[]> {
  const steps: TrainingStep[] = [];
  for await (const step of training.fit()) {
    steps.push(step);
    if (step.taken >= taken) break;
  }
  return steps;
}

async function* eachOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

describe("a training that was left, saved and resumed", () => {
  test.each([
    ["in the first stage", 3],
    ["at the first stage's end", 50],
    ["in the second stage", 57],
  ])("%s makes the bits of one that never paused", async (_where, pause) => {
    const last = 60;
    const whole = await begin(11);
    const wholeSteps = await stepTo(whole, last);
    const expected = await encodeDetector(await whole.finish());

    const first = await begin(11);
    const before = await stepTo(first, pause);
    const saved = await first.save();
    first.release();
    const second = await begin(11);
    await stepTo(second, 2); // which must leave no trace
    second.resume(saved, "saved");
    expect(second.taken).toBe(pause);
    const after = await stepTo(second, last);
    expect(await encodeDetector(await second.finish())).toEqual(expected);
    const losses = (steps: readonly TrainingStep[]) =>
      steps.map(({ taken, stage, step, epoch, loss }) => ({ taken, stage, step, epoch, loss }));
    expect(losses([...before, ...after])).toEqual(losses(wholeSteps));
  });

  test("saves the same bytes wherever it stands twice", async () => {
    const training = await begin(4, { folds: 0 });
    await stepTo(training, 2);
    expect(await training.save()).toEqual(await training.save());
    training.release();
  });

  test("gives its memory back", async () => {
    const before = device.memory().bytes;
    const training = await begin(4, { folds: 0 });
    await stepTo(training, 2);
    training.resume(await training.save(), "saved");
    await stepTo(training, 4);
    training.release();
    expect(device.memory().bytes).toBe(before);
    const finished = await begin(4, { folds: 0 });
    await stepTo(finished, 2);
    (await finished.finish()).release();
    expect(device.memory().bytes).toBe(before);
  });
});

describe("an AbortSignal", () => {
  const reason = new Error("enough");
  const short = { folds: 0, leastAbnormal: 4, leastNormal: 4 };

  test("ends reading, and gives everything back", async () => {
    const before = device.memory().bytes;
    const controller = new AbortController();
    const seen: number[] = [];
    const onProgress = (progress: TrainingProgress): void => {
      if (progress.phase === "features") seen.push(progress.done);
      if (seen.length === 3) controller.abort(reason);
    };
    await expect(begin(8, { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(seen).toEqual([1, 2, 3]);
    expect(device.memory().bytes).toBe(before);
    await expect(begin(8, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const trained = trainDetector(device, pictures(8), { ...OPTIONS, signal: AbortSignal.abort(reason) });
    await expect(trained).rejects.toBe(reason);
  });

  test("ends the steps, between two of which the training can be saved and gone on with to the same bits", async () => {
    const whole = await begin(4, short);
    await stepTo(whole);
    const expected = await encodeDetector(await whole.finish());
    const controller = new AbortController();
    const onProgress = (progress: TrainingProgress): void => {
      if (progress.phase === "training" && progress.taken === 3) controller.abort(reason);
    };
    const first = await begin(4, { ...short, signal: controller.signal, onProgress });
    await expect(stepTo(first)).rejects.toBe(reason);
    expect(first.taken).toBe(3);
    const saved = await first.save();
    first.release();
    const second = await begin(4, short);
    second.resume(saved, "saved");
    await stepTo(second);
    expect(await encodeDetector(await second.finish())).toEqual(expected);
  });

  test("ends calibration, of which nothing is kept", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const onProgress = (progress: TrainingProgress): void => {
      if (progress.phase !== "calibration") return;
      seen.push(`${progress.done}/${progress.total}`);
      if (progress.done === 2) controller.abort(reason);
    };
    const training = await begin(4, { ...short, signal: controller.signal, onProgress });
    await stepTo(training, 2);
    await expect(training.finish()).rejects.toBe(reason);
    expect(seen).toEqual(["1/4", "2/4"]);
    expect(training.heldOut).toEqual([]);
    training.release();
  });

  test("of trainDetector gives everything back, whenever it comes", async () => {
    const before = device.memory().bytes;
    for (const phase of ["features", "training", "calibration"] as const) {
      const controller = new AbortController();
      const onProgress = (progress: TrainingProgress): void => {
        if (progress.phase === phase) controller.abort(reason);
      };
      const options = { ...OPTIONS, ...short, signal: controller.signal, onProgress };
      await expect(trainDetector(device, pictures(4), options)).rejects.toBe(reason);
      expect(device.memory().bytes).toBe(before);
    }
  });
});

describe("a saved training is refused, and nothing changes,", () => {
  const saved = async (): Promise<Uint8Array> => {
    const training = await begin(4, { folds: 0 });
    await stepTo(training, 1);
    const bytes = await training.save();
    training.release();
    return bytes;
  };
  const refusal = async (
    bytes: Uint8Array,
    count: number,
    options: TrainingOptionsOf<"grad">,
    message: string,
  ): Promise<void> => {
    const training = await begin(count, { folds: 0, ...options });
    expect(() => training.resume(bytes, "old")).toThrow(InputError);
    expect(() => training.resume(bytes, "old")).toThrow(message);
    expect(training.taken).toBe(0);
    await stepTo(training, 1);
    training.release();
  };

  test("by one with other options, images, or that never was one", async () => {
    const bytes = await saved();
    await refusal(
      bytes,
      4,
      { seed: 8 },
      "old was trained with seed 7, not 8: resume with the same options, or start again",
    );
    await refusal(bytes, 4, { resize: "crop" }, 'old was trained with resize "stretch", not "crop"');
    await refusal(bytes, 5, {}, "old was trained on other images (4 then, 5 now, or changed ones): start again");
    await refusal(bytes.subarray(0, 100), 4, {}, "old is not a valid safetensors file");
    const file = decodeSafetensors(bytes, "old");
    await refusal(
      encodeSafetensors({ ...file, metadata: {} }),
      4,
      {},
      "old is no saved training: its metadata has no format bigrid-training",
    );
    const tensors = new Map([...file.tensors].filter(([name]) => name !== "normal.localGrid"));
    await refusal(encodeSafetensors({ ...file, tensors }), 4, {}, "old: tensor normal.localGrid [1,8,8,40] is missing");
  });

  test("where its state is none, or stands where no training does", async () => {
    const file = decodeSafetensors(await saved(), "old");
    const state = JSON.parse(file.metadata["state"]!) as { readonly fit: { readonly state: object } };
    const changed = (changes: object) =>
      encodeSafetensors({ ...file, metadata: { ...file.metadata, state: JSON.stringify({ ...state, ...changes }) } });
    const isNone = (part: string) =>
      `old: the state in its metadata is not that of a training: ${part} is missing, or of another kind`;
    await refusal(
      encodeSafetensors({ ...file, metadata: { ...file.metadata, state: "{" } }),
      4,
      {},
      "old: what its metadata says of the training is no JSON",
    );
    await refusal(
      encodeSafetensors({ ...file, metadata: { ...file.metadata, state: "null" } }),
      4,
      {},
      isNone("settings"),
    );
    for (const [part, value] of [
      ["images", ["a", 1]],
      ["run", -1],
      ["taken", 0.5],
      ["heldOut", 5],
    ]) {
      await refusal(changed({ [part as string]: value }), 4, {}, isNone(part as string));
    }
    await refusal(changed({ run: 7 }), 4, {}, "old is at model 8 of 1: it is damaged");
    const fit = (changes: object) => changed({ fit: { ...state.fit, state: { ...state.fit.state, ...changes } } });
    for (const change of [
      { position: {} },
      { position: { stage: "third", step: 0 } },
      { position: { stage: "abnormal", step: 1e9 } },
      { position: { stage: "residual", step: 0 } }, // which this training does not have
      { optimizerSteps: "a" },
    ])
      await refusal(
        fit(change),
        4,
        {},
        "old is damaged: grad: expected a position within the plan and the optimiser's steps in the state of the fit, got",
      );
    await refusal(
      changed({ carried: { errors: [0] } }),
      4,
      {},
      "old is damaged: the statistics of the hinges are of another kind",
    );
    await refusal(fit({ optimizerSteps: [1] }), 4, {}, "old is damaged: restore: expected the state of");
  });
});

describe("what calibrates", () => {
  test("is every fifth image of a class with many: it is not trained on", async () => {
    const training = await begin(11, { batch: 1 });
    const [step] = await stepTo(training, 1);
    expect(step).toMatchObject({ model: 1, models: 1, steps: 54 }); // 6 epochs of 9 images
    const { calibration } = (await training.finish()).config;
    expect(calibration.falseReject).toBe(0.01);
    expect(Object.keys(calibration.classes)).toEqual(["plate"]);
    expect(calibration.threshold).toBeGreaterThan(calibration.typical);
  });

  test("is, of a class with few, each part of it scored by a model of its own", async () => {
    const training = await begin(4, { folds: 2, batch: 1, leastAbnormal: 10, leastNormal: 60 });
    const steps = await stepTo(training);
    expect(new Set(steps.map(({ model, models, stage, steps }) => `${model}/${models} ${stage} ${steps}`))).toEqual(
      new Set([
        "1/3 abnormal 10",
        "1/3 normal 60",
        "2/3 abnormal 10",
        "2/3 normal 60",
        "3/3 abnormal 12",
        "3/3 normal 60",
      ]),
    );
    expect(steps.at(-1)!.secondsLeft).toBe(0);
    expect(steps.at(-1)!.taken).toBe(steps.length);
    // Scores of images that were trained on are lower: without folds the threshold is.
    const [held, seen] = [
      await training.finish(),
      await begin(4, { folds: 0, batch: 1, leastAbnormal: 10, leastNormal: 60 }),
    ];
    await stepTo(seen);
    expect(held.config.calibration.typical).toBeGreaterThan((await seen.finish()).config.calibration.typical);
  });
});

test("the first stage ends early where enough is right, and each has its least steps", async () => {
  const stagesOf = async (options: TrainingOptionsOf<"grad">) => {
    const training = await begin(4, { folds: 0, leastAbnormal: 20, leastNormal: 3, ...options });
    const steps = await stepTo(training);
    training.release();
    return ["abnormal", "normal"].map((stage) => steps.filter((step) => step.stage === stage).length);
  };
  expect(await stagesOf({ enoughHits: 1 })).toEqual([20, 3]);
  // all are on the right side
  expect(await stagesOf({ enoughHits: 0, form: "published", decoder: "tiny", hinge: -10 })).toEqual([10, 3]);
});

test("features that were computed before train and are inspected to the bits of their images", async () => {
  const backbone = await createBackbone(device, "embedded", { inputSize: SIZE });
  const maker = new FeatureMaker(device, backbone, grad.assembly({}, backbone), "stretch");
  const { height, width, channels } = maker.extents;
  const images: TrainingImage[] = [];
  const raw: TrainingImage[] = [];
  const rawOf = async (image: DecodedImage): Promise<Float32Array> => {
    const features = maker.rawOf([image]);
    return toArray(features).finally(() => release(features));
  };
  for await (const { className, image } of pictures(10)) {
    images.push({ className, image });
    raw.push({ className, image: await rawOf(image as DecodedImage) });
  }
  const detectorOf = async (given: readonly TrainingImage[]) => {
    const training = await Training.begin(device, eachOf(given), OPTIONS);
    await stepTo(training, 2);
    return training.finish();
  };
  const [seen, known] = [await detectorOf(images), await detectorOf(raw)];
  expect(await encodeDetector(known)).toEqual(await encodeDetector(seen));
  const features = fromArray(device, [1, height, width, channels], raw[0]!.image as Float32Array);
  const [inspection] = await seen.inspect(inputsOf([images[0]!.image as DecodedImage]));
  expect([inspection]).toMatchObject(await known.inspectFeatures(features));
  const size = { width: SIZE, height: SIZE };
  const upper = Uint8Array.from({ length: SIZE * SIZE }, (_, i) => (i < (SIZE * SIZE) / 2 ? 1 : 0));
  const region = new PictureRegion(upper, size);
  const picture = images[0]!.image as DecodedImage;
  const [part] = await seen.inspect([{ image: picture, region }]);
  const shown = await rawOf(region.shown(picture));
  const partly = fromArray(device, [1, height, width, channels], shown);
  expect([part]).toMatchObject(await known.inspectFeatures(partly, { images: [{ image: size, region }] }));
  release(partly);
  const even = raw.map((image) => ({ ...image, even: true }));
  await expect(Training.begin(device, eachOf(even), OPTIONS)).rejects.toThrow("show one even colour each");
  const short: TrainingImage = { className: "plate", image: new Float32Array(3) };
  await expect(Training.begin(device, eachOf([short]), OPTIONS)).rejects.toThrow(ShapeError);
  for (const used of [seen, known, maker]) used.release();
  release(features);
});

test("options out of range or unknown are refused before any image is read", async () => {
  const refusal = (options: object, message: string) => {
    async function* untouched(): AsyncGenerator<TrainingImage> {
      throw new Error("read");
    }
    return expect(Training.begin(device, untouched(), options)).rejects.toThrow(new OptionError(message));
  };
  await refusal({ batch: 0 }, "method grad: expected batch to be a whole number of at least 1, got 0");
  await refusal({ enoughHits: 2 }, "method grad: expected enoughHits to be a finite number from 0 to 1, got 2");
  await refusal({ leastNormal: 0 }, "method grad: expected leastNormal to be a whole number of at least 1, got 0");
  await refusal({ folds: 1 }, "training: expected folds to be 0 or at least 2, got 1: a fold is trained on the others");
  await refusal({ falseReject: 0.6 }, "training: expected falseReject to be above 0 and at most 0.5, got 0.6");
  await expect(Training.begin(device, pictures(2), { bacth: 3 } as object)).rejects.toThrow("bacth");
});
