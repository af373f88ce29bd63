// What every method keeps when training goes on from a detector: a method that is added gets a row in ENOUGH, and
// nothing else here.
import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import { continueTraining } from "../../src/detection/continue_training.ts";
import type { AddedImage, EarlierTraining, ImageRecord } from "../../src/detection/continuation.ts";
import type { Detector } from "../../src/detection/detector.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { encodeDetector } from "../../src/detection/model_file.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingOptions } from "../../src/detection/training_options.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { METHOD_NAMES, type MethodName, type OptionsOfMethods } from "../../src/methods/registry.ts";
import { device } from "../harness/device.ts";
import { SMALL } from "../harness/small_methods.ts";

/** Options, besides the small ones, with which a method learns these pictures in seconds. */
const ENOUGH: { readonly [N in MethodName]: OptionsOfMethods[N] } = {
  dfr: { variance: 0.9, leastSteps: 300 },
  grad: { leastAbnormal: 150, leastNormal: 150, rows: 1000 },
  padim: {},
  patchcore: {},
  crad: { leastSteps: 300 },
  simplenet: { leastSteps: 200, hidden: 32 },
  uniad: { steps: 150, hidden: 32, feedForward: 64 },
  riad: { leastSteps: 60, baseWidth: 4, cellSizes: [4, 8, 8, 4] },
};

const SIZE = 64;
const SHARE = 0.3; // of steps that are a third of the usual ones: as many as by default
const [, plates] = synthesise({ size: SIZE, train: 24, good: 1, defective: 3, seed: 3 }) as [
  unknown,
  ReturnType<typeof synthesise>[number],
];
const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }): DecodedImage => ({
  width: SIZE,
  height: SIZE,
  data: rgba,
});

/** The same part under a brighter lamp. */
const brighter = (image: DecodedImage): DecodedImage => ({
  ...image,
  data: image.data.map((value, i) => (i % 4 === 3 ? value : Math.min(255, Math.round(1.5 * value)))),
});
const pictures = plates.train.map(pictureOf);
const named = (images: readonly DecodedImage[], name: string): TrainingImage[] =>
  images.map((image, i) => ({ name: `${name} ${i}`, className: "plate", image }));

const OLD = named(pictures.slice(0, 12), "old");
const ADDED = named(pictures.slice(12, 18).map(brighter), "added");
const UNSEEN = pictures.slice(18).map(brighter);
const DEFECTIVE = plates.test.filter(({ mask }) => mask).map(pictureOf);

async function* eachOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const optionsOf = (method: MethodName, more: object): TrainingOptions => ({
  method,
  inputSize: SIZE,
  seed: 7,
  ...SMALL[method],
  ...more,
});

async function train(images: readonly TrainingImage[], options: TrainingOptions) {
  const training = await Training.begin(device, eachOf(images), options);
  for await (const _ of training.fit());
  const detector = await training.finish();
  return { detector, record: training.record };
}

const earlierOf = (
  { detector, record }: Pick<EarlierTraining, "detector" | "record">,
  images: readonly TrainingImage[],
): EarlierTraining => ({
  detector,
  record,
  images: (wanted) => eachOf(images.filter(({ name }) => wanted.some((one) => one.name === name))),
});

const alarmsOf = async (detector: Detector, images: readonly DecodedImage[]): Promise<number> =>
  (await detector.inspect(images.map((image) => ({ image })))).filter(({ calibrated }) => calibrated > 0.5).length;

const partsOf = (record: readonly ImageRecord[]): string[] =>
  record.map(({ name, trained, heldOut, added }) => {
    const parts = [trained && "trained", heldOut && "scored", added && "added"];
    return `${name}: ${parts.filter(Boolean).join(", ")}`;
  });

describe.each(METHOD_NAMES)("the method %s", (method) => {
  test("goes on from a detector: false alarms fall, and defects are found as before", async () => {
    const options = optionsOf(method, ENOUGH[method]);
    const before = await train(OLD, options);
    const alarms = await alarmsOf(before.detector, UNSEEN);
    expect(alarms).toBeGreaterThanOrEqual(4);
    const found = await alarmsOf(before.detector, DEFECTIVE);
    const { detector, added, record } = await continueTraining(earlierOf(before, OLD), eachOf(ADDED), {
      ...options,
      share: SHARE,
    });
    expect(await alarmsOf(detector, UNSEEN)).toBeLessThanOrEqual(alarms / 2);
    expect(await alarmsOf(detector, DEFECTIVE)).toBeGreaterThanOrEqual(found - 2);

    const [were, are] = [before.detector, detector].map(({ config }) => config.calibration.threshold) as [
      number,
      number,
    ];
    expect(added.map(({ name }) => name)).toEqual(ADDED.map(({ name }) => name));
    const count = (isAlarm: (one: AddedImage) => boolean): number => added.filter(isAlarm).length;
    expect(count(({ after }) => after > are)).toBeLessThan(count(({ before: score }) => score > were));
    const isScored = (i: number): boolean => method === "patchcore" || method === "padim" || i % 2 === 0;
    expect(added.map(({ heldOut }) => heldOut !== null)).toEqual(added.map((_, i) => isScored(i)));
    expect(partsOf(record)).toEqual([
      ...OLD.map(({ name }, i) => `${name}: ${i % 5 === 4 ? "scored" : "trained"}`),
      ...ADDED.map(({ name }, i) => `${name}: trained, ${isScored(i) ? "scored, " : ""}added`),
    ]);
    for (const used of [before.detector, detector]) used.release();
  });

  test("does so to the same bits, left and resumed too, leaves the detector as it was, and gives memory back", async () => {
    const options = optionsOf(method, {});
    const old = OLD.slice(0, 4); // which cross-validation scores
    const before = await train(old, options);
    const file = await encodeDetector(before.detector);
    const more = ADDED.slice(0, 3);
    const settings = { ...options, share: 1 };
    const { bytes } = device.memory();
    const begin = () => Training.from(earlierOf(before, old), eachOf(more), settings);
    const taken: number[] = [];
    const whole = await begin();
    for await (const step of whole.fit()) taken.push(step.taken);
    const expected = await encodeDetectorOf(await whole.finish());
    const { added, heldOut, record } = whole;
    expect(device.memory().bytes).toBe(bytes);

    for (const pause of new Set([1, taken.length >> 1, taken.length - 1])) {
      const first = await begin();
      for await (const step of first.fit()) if (step.taken >= pause) break;
      const saved = await first.save();
      first.release();
      const second = await begin();
      second.resume(saved, "saved");
      for await (const _ of second.fit());
      expect(await encodeDetectorOf(await second.finish())).toEqual(expected);
      expect([second.added, second.heldOut, second.record]).toEqual([added, heldOut, record]);
      expect(device.memory().bytes).toBe(bytes);
      await expect(
        Training.from(earlierOf(before, old), eachOf(more), { ...settings, share: 0.5 }).then((other) => {
          try {
            other.resume(saved, "saved");
          } finally {
            other.release();
          }
        }),
      ).rejects.toThrow("saved was trained with from");
    }
    expect(await encodeDetector(before.detector)).toEqual(file);
    before.detector.release();
  });
});

/** A detector's file; the detector is released. */
async function encodeDetectorOf(detector: Detector): Promise<Uint8Array> {
  const file = await encodeDetector(detector);
  detector.release();
  return file;
}

test("every method has a row here", () => {
  expect(Object.keys(ENOUGH)).toEqual(Object.keys(SMALL));
});
