// Where training goes on from a detector: which images are read, what sets the threshold, and what is refused.
import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import { continueTraining } from "../../src/detection/continue_training.ts";
import type { ContinuationOptions, EarlierTraining, ImageRecord } from "../../src/detection/continuation.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { decodeDetector, encodeDetector } from "../../src/detection/model_file.ts";
import { PictureRegion } from "../../src/detection/region.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingOptions } from "../../src/detection/training_options.ts";
import { InputError, OptionError } from "../../src/runtime/errors.ts";
import { device } from "../harness/device.ts";
import { SMALL } from "../harness/small_methods.ts";

const SIZE = 64;
const scenes = synthesise({ size: SIZE, train: 16, good: 1, defective: 1, seed: 3 });
const imagesOf = (nth: number, first: number, count: number): TrainingImage[] =>
  scenes[nth]!.train.slice(first, first + count).map(({ rgba, name }) => ({
    name: `${scenes[nth]!.name} ${name}`,
    className: scenes[nth]!.name,
    image: { width: SIZE, height: SIZE, data: rgba },
  }));
const PATCHCORE = { method: "patchcore", inputSize: SIZE, coreset: 0.2 } as const;
const PADIM = { method: "padim", inputSize: SIZE, ...SMALL.padim } as const;
const SIMPLENET = { method: "simplenet", inputSize: SIZE, ...SMALL.simplenet } as const;

async function* eachOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function train(images: readonly TrainingImage[], options: TrainingOptions) {
  const training = await Training.begin(device, eachOf(images), options);
  for await (const _ of training.fit());
  const detector = await training.finish();
  return { detector, record: training.record };
}

/** Goes on, and says which images were read. */
async function goOn(
  before: Pick<EarlierTraining, "detector" | "record">,
  known: readonly TrainingImage[],
  added: readonly TrainingImage[],
  options: ContinuationOptions = {},
) {
  const read: string[] = [];
  const images = (wanted: readonly ImageRecord[]) => {
    read.push(...wanted.map(({ name }) => name));
    return eachOf(known.filter(({ name }) => read.includes(name!)));
  };
  const after = await continueTraining({ ...before, images }, eachOf(added), options);
  after.detector.release();
  return { ...after, read };
}

const scoresOf = (record: readonly ImageRecord[]) => record.map(({ heldOut }) => heldOut?.score ?? null);
const [first] = [imagesOf(0, 0, 12)];
const few = imagesOf(1, 0, 4);
const added = [...imagesOf(0, 12, 2), ...imagesOf(1, 12, 3)];

describe("a bank, to which rows are added,", () => {
  test("reads of the earlier images those alone that it held out; those of cross-validation keep their scores", async () => {
    const before = await train([...first, ...few], PATCHCORE);
    const { read, record, detector } = await goOn(before, [...first, ...few], added, PATCHCORE);
    expect(read).toEqual([first[4]!.name, first[9]!.name]);
    expect(record.map(({ name }) => name)).toEqual([...first, ...few, ...added].map(({ name }) => name));
    const [was, is] = [scoresOf(before.record), scoresOf(record)];
    expect(is.slice(12, 16)).toEqual(was.slice(12));
    for (const i of [4, 9]) expect(is[i]!).toBeLessThanOrEqual(was[i]!); // the bank has more rows
    expect(is.slice(16).every((score) => score !== null && score > 0)).toBe(true);
    const bankOf = ({ config }: { readonly config: unknown }) => (config as { rows: number }).rows;
    const [rows, more] = [before.detector, detector].map(({ config }) => bankOf({ config: config.method.config }));
    expect(more! - rows!).toBe(Math.round(0.2 * 5 * 64)); // of five images of 8 x 8 cells
    before.detector.release();
  });

  test("takes an image that comes alone by the score that the detector gives it", async () => {
    const before = await train(first, PATCHCORE);
    const [alone] = imagesOf(0, 13, 1);
    const { added: told, record } = await goOn(before, first, [alone!], PATCHCORE);
    expect(told).toHaveLength(1);
    expect(told[0]!.heldOut).toBe(told[0]!.before);
    expect(told[0]!.after).toBeLessThan(told[0]!.before);
    expect(record.at(-1)).toMatchObject({ trained: true, added: true, heldOut: { score: told[0]!.before } });
    before.detector.release();
  });

  test("goes on again and again from a model file", async () => {
    let now: { detector: typeof before.detector; record: readonly ImageRecord[] };
    const before = await train(few, PATCHCORE);
    now = before;
    for (let i = 0; i < 2; i++) {
      const detector = await decodeDetector(device, await encodeDetector(now.detector), "model");
      now.detector.release();
      const after = await continueTraining(
        { detector, record: now.record, images: () => eachOf([]) }, // of which it needs none
        eachOf(imagesOf(1, 4 + 3 * i, 3)),
        PATCHCORE,
      );
      detector.release();
      now = after;
    }
    expect(now.record.map((one) => one.added)).toEqual([...few.map(() => false), ...imagesOf(1, 4, 6).map(() => true)]);
    expect(Object.keys(now.detector.config.calibration.classes)).toEqual([scenes[1]!.name]);
    now.detector.release();
  });
});

describe("a model that takes steps", () => {
  test("reads all images; those of cross-validation keep their scores, those held out get new ones", async () => {
    const before = await train([...first, ...few], SIMPLENET);
    const { read, record } = await goOn(before, [...first, ...few], added, { ...SIMPLENET, share: 1 });
    expect(read).toEqual([...first, ...few].map(({ name }) => name));
    const [was, is] = [scoresOf(before.record), scoresOf(record)];
    expect(is.slice(12, 16)).toEqual(was.slice(12));
    for (const i of [4, 9]) expect([is[i] !== null, is[i] === was[i]]).toEqual([true, false]);
    before.detector.release();
  });

  test("takes a share of the steps, for each of its models", async () => {
    const options = { ...SIMPLENET, epochs: 0, leastSteps: 40 } as const;
    const before = await train(first, options);
    const steps: string[] = [];
    const training = await Training.from({ ...before, images: () => eachOf(first) }, eachOf(imagesOf(0, 12, 3)), {
      ...options,
      share: 0.25,
    });
    for await (const { model, models, steps: all } of training.fit()) steps.push(`${model}/${models}: ${all}`);
    // whole epochs of 12 and 13 images, 4 a step
    expect([...new Set(steps)]).toEqual(["1/2: 12", "2/2: 12"]);
    training.release();
    before.detector.release();
  });
});

test("a model in closed form is fitted anew: images of cross-validation are divided again, with the added ones", async () => {
  const before = await train([...first, ...few], PADIM);
  const { read, record } = await goOn(before, [...first, ...few], added, PADIM);
  expect(read).toHaveLength(16);
  const [was, is] = [scoresOf(before.record), scoresOf(record)];
  for (const i of [12, 13, 14, 15]) expect([is[i] !== null, is[i] === was[i]]).toEqual([true, false]);
  expect(record.map(({ trained }) => trained)).toEqual([
    ...before.record.map(({ trained }) => trained),
    ...added.map(() => true),
  ]);
  before.detector.release();
});

test("turned and mirrored copies count as images of the bank, and as none of the calibration", async () => {
  const plain = await train(few, PATCHCORE);
  const turned = await train(few, { ...PATCHCORE, augment: "both" });
  const rowsOf = ({ detector }: typeof plain): number =>
    (detector.config.method.config as { readonly rows: number }).rows;
  expect(rowsOf(turned)).toBe(Math.round(0.2 * 4 * 8 * 64));
  expect(rowsOf(plain)).toBe(Math.round(0.2 * 4 * 64));
  expect(turned.record).toHaveLength(4);
  // a part that lies otherwise is known
  const { image } = few[0] as { image: { data: Uint8Array } };
  const pixels = new Uint32Array(image.data.slice().buffer).reverse();
  const half = { width: SIZE, height: SIZE, data: new Uint8Array(pixels.buffer) };
  const [known] = await turned.detector.inspect([{ image: half }]);
  const [unknown] = await plain.detector.inspect([{ image: half }]);
  expect(known!.score).toBeLessThan(unknown!.score);
  const { record } = await goOn(turned, few, imagesOf(1, 4, 2), { ...PATCHCORE, augment: "both" });
  expect(record).toHaveLength(6);
  for (const one of [plain, turned]) one.detector.release();
  await expect(
    Training.begin(device, eachOf([{ className: "part", image: new Float32Array(64 * 40) }]), {
      ...PATCHCORE,
      augment: "flips",
    }),
  ).rejects.toThrow(
    "training: augment flips turns pictures, and image 1, of class part, came as features: leave it out",
  );
});

describe("it is refused", () => {
  const refusal = async (
    changes: {
      readonly options?: object;
      readonly added?: readonly TrainingImage[];
      readonly known?: readonly TrainingImage[];
      readonly record?: readonly ImageRecord[];
    },
    error: new (message: string) => Error,
    message: string,
  ): Promise<void> => {
    const before = await train(few, SIMPLENET);
    const { bytes } = device.memory();
    const earlier = {
      detector: before.detector,
      record: changes.record ?? before.record,
      images: () => eachOf(changes.known ?? few),
    };
    const options = { ...SIMPLENET, ...changes.options } as ContinuationOptions;
    const begun = Training.from(earlier, eachOf(changes.added ?? imagesOf(1, 4, 1)), options);
    await expect(begun).rejects.toThrow(error);
    await expect(begun).rejects.toThrow(message);
    expect(device.memory().bytes).toBe(bytes);
    before.detector.release();
  };

  test.each([
    [
      "another method",
      {
        method: "padim",
        ...SMALL.padim,
        hidden: undefined,
        epochs: undefined,
        leastSteps: undefined,
        batch: 4,
        noiseRegion: undefined,
      },
      'training: expected method "simplenet", as the detector has, got "padim": leave it out',
    ],
    ["another size", { inputSize: 128 }, "training: expected inputSize 64, as the detector has, got 128: leave it out"],
    ["another resize", { resize: "crop" }, 'training: expected resize "stretch", as the detector has, got "crop"'],
    [
      "another backbone",
      { backbone: "efficientnet-b0" },
      'training: expected backbone "embedded", as the detector has',
    ],
    [
      "another model",
      { hidden: 8 },
      "method simplenet: expected hidden 16, as the model has that training goes on from, got 8",
    ],
    ["a share of nothing", { share: 0 }, "training: expected share to be above 0 and at most 1, got 0"],
  ])("with options that contradict the detector: %s", async (_, options, message) => {
    await refusal({ options }, OptionError, message);
  });

  test("where there is nothing to add, or nothing is left of what it was trained on", async () => {
    await refusal({ added: [] }, InputError, "there are no good images to add");
    await refusal({ known: [] }, InputError, "none of the 4 good images of the earlier training is there");
  });

  test("with images that were not asked for, or are known, or of a class that is not", async () => {
    const [known] = few;
    await refusal({ known: imagesOf(1, 8, 1) }, OptionError, "training: expected an image that was asked for by name");
    await refusal({ added: [known!] }, OptionError, `training: ${known!.name} is an image of the earlier training`);
    const two = await train([...few, ...imagesOf(0, 0, 4)], PATCHCORE);
    const other = { ...imagesOf(0, 5, 1)[0]!, className: "other" };
    const earlier = { ...two, images: () => eachOf([]) };
    await expect(Training.from(earlier, eachOf([other]), PATCHCORE)).rejects.toThrow("the model has no class other");
    two.detector.release();
  });

  test("with regions where the detector has none", async () => {
    const region = new PictureRegion(new Uint8Array(SIZE * SIZE).fill(1), { width: SIZE, height: SIZE });
    await refusal(
      { added: imagesOf(1, 4, 1).map((one) => ({ ...one, region })) },
      OptionError,
      "training: the detector learned from whole images, and got regions of interest: give the same",
    );
  });

  test("by a bank of which the coreset adds no row", async () => {
    const before = await train(few, PATCHCORE);
    const earlier = { ...before, images: () => eachOf([]) };
    await expect(Training.from(earlier, eachOf(imagesOf(1, 4, 1)), { ...PATCHCORE, coreset: 0.01 })).rejects.toThrow(
      /patchcore: expected a coreset that adds rows to the 51 of the model/,
    );
    before.detector.release();
  });
});
