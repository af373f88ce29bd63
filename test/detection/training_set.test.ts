import { describe, expect, test } from "vitest";
import type { DecodedImage } from "../../src/io/image.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import { TrainingSet } from "../../src/detection/training_set.ts";
import { InputError, OptionError } from "../../src/runtime/errors.ts";
import { device } from "../harness/device.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";

const SIZE = 64;
const even = (level: number): DecodedImage => ({
  width: SIZE,
  height: SIZE,
  data: new Uint8Array(4 * SIZE * SIZE).fill(level),
});
const OPTIONS = { inputSize: SIZE, decoder: "tiny" } as const;

async function* of(images: Readonly<Record<string, readonly DecodedImage[]>>): AsyncGenerator<TrainingImage> {
  for (const [className, pictures] of Object.entries(images)) for (const image of pictures) yield { className, image };
}

const begun = (images: Readonly<Record<string, readonly DecodedImage[]>>) =>
  Training.begin(device, of(images), OPTIONS);

describe("good images that show nothing to learn are refused before training", () => {
  test.each([0, 127, 255])("all of them of the even grey %i", async (level) => {
    await expect(begun({ part: Array.from({ length: 4 }, () => even(level)) })).rejects.toThrow(
      new InputError(
        "all 4 good images show one and the same even colour, of which nothing can be learned: train on photographs of the object",
      ),
    );
  });

  test("each of its own even colour", async () => {
    await expect(begun({ part: [120, 121, 90].map(even), bolt: [madeUpPicture(SIZE, 1)] })).rejects.toThrow(
      "all 3 good images of class part show one even colour each, of which nothing can be learned: train on photographs of the object, or leave the class out",
    );
  });

  test("all of them the same picture", async () => {
    await expect(begun({ part: [1, 1, 1].map((key) => madeUpPicture(SIZE, key)) })).rejects.toThrow(
      "all 3 good images of class part are the same picture, which does not show how good ones differ: train on different photographs of it, or leave the class out",
    );
  });

  test("most of them the same picture", async () => {
    const pictures = [even(90), even(90), madeUpPicture(SIZE, 1), even(90), madeUpPicture(SIZE, 2)];
    await expect(begun({ part: pictures })).rejects.toThrow(
      "3 of 5 good images of class part are the same picture, which does not show how good ones differ",
    );
    const half = await begun({ part: [...pictures.slice(1), madeUpPicture(SIZE, 3)] });
    half.release();
  });

  test("those of one class among others", async () => {
    const others = [1, 2, 3].map((key) => madeUpPicture(SIZE, key));
    await expect(begun({ bolt: others, nut: [even(90), even(90)] })).rejects.toThrow(
      "all 2 good images of class nut show one even colour each",
    );
  });
});

test("images of one colour among others, a class of one image and some copies are no reason to refuse", async () => {
  const pictures = [1, 2, 2].map((key) => madeUpPicture(SIZE, key));
  const training = await begun({ bolt: [...pictures, even(0), even(127)], nut: [madeUpPicture(SIZE, 4)] });
  expect(training.calibrating).toEqual(
    new Map([
      ["bolt", 5],
      ["nut", 1],
    ]),
  );
  training.release();
});

test("a constant channel is none, and a channel that alone varies is enough", () => {
  const set = new TrainingSet(2);
  for (const last of [2, 2.5]) set.addImage("part", [set.addFeatures(Float32Array.of(5, 1, 5, last), "a")]);
  expect(() => set.requireVariety()).not.toThrow();
});

test("features that are not finite are refused with the image's name", async () => {
  for (const wrong of [NaN, Infinity]) {
    expect(() => new TrainingSet(1).addFeatures(Float32Array.of(0, wrong), "bolts/7.png")).toThrow(
      new InputError(
        `training: features of bolts/7.png hold ${wrong} at element 1: check the weights of the backbone, which may be damaged`,
      ),
    );
  }
  async function* features(): AsyncGenerator<TrainingImage> {
    yield { name: "bolts/8.png", className: "bolt", image: new Float32Array(8 * 8 * 40).fill(NaN) };
  }
  await expect(Training.begin(device, features(), OPTIONS)).rejects.toThrow(
    "training: features of bolts/8.png hold NaN",
  );
});

test("features too large for losses are named as a reason to diverge, others are not", () => {
  const set = new TrainingSet(1);
  set.addFeatures(Float32Array.of(1, 2), "a");
  expect(set.problem).toBeNull();
  set.addFeatures(Float32Array.of(1, -1e20), "b");
  expect(set.problem).toContain("the images' features reach 1.00e+20, too much for losses in f32");
});

test("absurd numbers among the options are refused before any image is read", async () => {
  async function* untouched(): AsyncGenerator<TrainingImage> {
    throw new Error("read");
  }
  const absurd = [
    [{ inputSize: 1e9 }, "training: expected inputSize to be a whole number from 64 to 4096, got 1000000000"],
    [{ seed: 2 ** 32 }, "training: expected seed to be a whole number from 0 to 4294967295, got 4294967296"],
    [{ folds: 1e12 }, "training: expected folds to be a whole number"],
    [{ featureBudget: NaN }, "training: expected featureBudget to be"],
    [{ resize: "cover" as "crop" }, "training: expected resize to be stretch, letterbox or crop, got cover"],
    [{ blocks: 1e7 }, "grad: expected blocks to be a whole number from 1 to 1000, got 10000000"],
    [{ localGrid: 1e6 }, "grad: expected localGrid to be a whole number from 1 to 1024, got 1000000"],
    [
      { globalGrid: 1000 },
      "grad: expected globalGrid of so few cells that the grid holds at most 536870912 numbers, got 2560000000",
    ],
    [{ pasteSteps: 1e9 }, "grad paste: expected steps to be at most 100000, got 1000000000"],
    [{ pasteCount: 1e9 }, "grad paste: expected count to be at most 1000, got 1000000000"],
    [{ hingeWeight: NaN }, "grad: expected hingeWeight to be a finite number of at least 0, got NaN"],
  ] as const;
  for (const [options, message] of absurd) {
    const refusal = expect(Training.begin(device, untouched(), { inputSize: SIZE, ...options })).rejects;
    await refusal.toThrow(message);
    await expect(Training.begin(device, untouched(), { inputSize: SIZE, ...options })).rejects.toThrow(OptionError);
  }
});
