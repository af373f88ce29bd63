import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { markedCells, type AnomalousImage } from "../../src/detection/marked_cells.ts";
import { encodeDetector } from "../../src/detection/model_file.ts";
import { gradConfig } from "../../src/methods/grad/config.ts";
import type { AnomalySource } from "../../src/methods/method.ts";
import { Grad } from "../../src/methods/grad/model.ts";
import { GradTraining } from "../../src/methods/grad/training.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingOptionsOf } from "../../src/detection/training_options.ts";
import { Weights } from "../../src/nn/weights.ts";
import { concat } from "../../src/ops/shape.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { CELLS, CHANNELS, images, source, VARIANCE } from "../harness/smooth_features.ts";

/** A picture whose pixel (x, y) is white where asked. */
function picture(width: number, height: number, isWhite: (x: number, y: number) => boolean): DecodedImage {
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < width * height; i++)
    data.fill(isWhite(i % width, Math.floor(i / width)) ? 255 : 0, 4 * i, 4 * i + 3);
  return { width, height, data };
}
const cellsOf = (marked: Float32Array) => Array.from(marked.keys()).filter((i) => marked[i] === 1);

describe("a cell is marked where a pixel in it is:", () => {
  test("one pixel", () => {
    const mask = picture(64, 64, (x, y) => x === 17 && y === 63);
    expect(cellsOf(markedCells({ name: "a", masks: [mask] }, "stretch", 64, 8))).toEqual([7 * 8 + 2]);
  });
  test("a pixel that two cells share, where cells are no whole number of pixels", () => {
    const mask = picture(10, 10, (x, y) => x === 3 && y === 0);
    expect(cellsOf(markedCells({ name: "a", masks: [mask] }, "stretch", 10, 3))).toEqual([0, 1]);
  });
  test("of a mask of another size, as its picture is placed", () => {
    const wide = picture(40, 20, (x) => x < 10);
    expect(cellsOf(markedCells({ name: "a", masks: [wide] }, "letterbox", 8, 4))).toEqual([4, 8]);
    expect(cellsOf(markedCells({ name: "a", masks: [wide] }, "stretch", 8, 4))).toEqual([0, 4, 8, 12]);
  });
  test("of several masks together", () => {
    const masks = [picture(8, 8, (x, y) => x + y === 0), picture(8, 8, (x, y) => x + y === 14)];
    expect(cellsOf(markedCells({ name: "a", masks }, "stretch", 8, 2))).toEqual([0, 3]);
  });
  test("and an image without any is refused by name", () => {
    expect(() => markedCells({ name: "scratch.png", masks: [picture(8, 8, () => false)] }, "stretch", 8, 2)).toThrow(
      "scratch.png shows no anomaly: nothing is marked in its 1 masks",
    );
  });
});

test("so many of a batch are anomalies as their share says, and others in every step", async () => {
  const features = images(4);
  const mask = fromArray(
    device,
    [1, CELLS, CELLS],
    Float32Array.from({ length: CELLS * CELLS }, (_, i) => (i === 40 ? 1 : 0)),
  );
  const config = gradConfig(
    { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE },
    { form: "published", decoder: "tiny", localGrid: 4, globalGrid: 2 },
  );
  const std = fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(1));
  const trained = async (share: number | null) => {
    const asked: (readonly number[])[] = [];
    const good: number[] = [];
    const plain = source(6);
    const anomalies: AnomalySource | null =
      share === null
        ? null
        : {
            count: 3,
            batch: (indices) => {
              asked.push(indices);
              return Promise.resolve({
                features: concat(
                  indices.map((i) => features[1 + i]!),
                  0,
                ),
                mask: concat(
                  indices.map(() => mask),
                  0,
                ),
              });
            },
          };
    const counted = {
      ...plain,
      batch: (indices: readonly number[]) => {
        good.push(indices.length);
        return plain.batch(indices.length > 0 ? indices : [0]);
      },
    };
    const model = new Grad(Weights.drawn(device), config, new RandomStream(3, 0));
    const steps = new GradTraining(
      model,
      counted,
      {
        epochsAbnormal: 1,
        epochsNormal: 1,
        epochsResidual: 1,
        batch: 4,
        leastAbnormal: 50,
        leastNormal: 500,
        leastResidual: 30,
        enoughHits: 0.99,
        anomalyShare: share ?? 0.5,
        seed: 5,
        std,
      },
      anomalies,
    ).steps();
    for (let i = 0; i < 3; i++) await steps.next();
    return { asked, good, grid: (await toArray(model.weights.parameters.get("abnormal.localGrid")!)).join() };
  };
  const [none, half, most] = [await trained(null), await trained(0.5), await trained(0.75)];
  expect(none.good).toEqual([4, 2, 4]);
  expect(half.good).toEqual([2, 1, 2]);
  expect(half.asked.map((indices) => indices.length)).toEqual([2, 1, 2]);
  expect(half.asked[0]).not.toEqual(half.asked[2]);
  expect(most.asked.map((indices) => indices.length)).toEqual([3, 2, 3]);
  expect(new Set(most.asked[0])).toEqual(new Set([0, 1, 2]));
  expect(new Set([none.grid, half.grid, most.grid]).size).toBe(3);
  expect((await trained(0.5)).grid).toBe(half.grid);
});

describe("a detector's training", () => {
  const SIZE = 64;
  const [scene] = synthesise({ size: SIZE, train: 4, good: 1, defective: 2, seed: 1 }) as [
    ReturnType<typeof synthesise>[number],
  ];
  const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }): DecodedImage => ({
    width: SIZE,
    height: SIZE,
    data: rgba,
  });
  async function* good(): AsyncGenerator<TrainingImage> {
    for (const image of scene.train) yield { className: "weave", image: pictureOf(image) };
  }
  async function* anomalies(side = 20): AsyncGenerator<AnomalousImage> {
    for (const [i, image] of scene.test.entries())
      if (i > 0)
        yield { name: `${i}`, image: pictureOf(image), masks: [picture(SIZE, SIZE, (x, y) => x < side && y < side)] };
  }
  const begin = (options: TrainingOptionsOf<"grad">) =>
    Training.begin(device, good(), {
      form: "published",
      decoder: "tiny",
      inputSize: SIZE,
      epochsAbnormal: 1,
      epochsNormal: 1,
      batch: 4,
      seed: 1,
      folds: 0,
      ...options,
    });
  const bytesAfter = async (training: Training, taken: number) => {
    for await (const step of training.fit()) if (step.taken === taken) break;
    const detector = await training.finish();
    const bytes = await encodeDetector(detector);
    detector.release();
    return bytes.join();
  };

  test("with real anomalies makes another detector than without, by their share, and gives its memory back", async () => {
    const before = device.memory().bytes;
    const made = [await bytesAfter(await begin({}), 2)];
    for (const anomalyShare of [0.5, 1])
      made.push(await bytesAfter(await begin({ anomalies: anomalies(), anomalyShare }), 2));
    expect(new Set(made).size).toBe(3);
    expect(await bytesAfter(await begin({ anomalies: anomalies() }), 2)).toBe(made[1]);
    expect(device.memory().bytes).toBe(before);
  });

  test("goes on to the same bits with the same anomalies, and not with others", async () => {
    const whole = await bytesAfter(await begin({ anomalies: anomalies() }), 4);
    const first = await begin({ anomalies: anomalies() });
    for await (const { taken } of first.fit()) if (taken === 2) break;
    const saved = await first.save();
    first.release();
    const second = await begin({ anomalies: anomalies() });
    second.resume(saved, "saved");
    expect(await bytesAfter(second, 4)).toBe(whole);
    const others = await begin({ anomalies: anomalies(30) });
    expect(() => others.resume(saved, "saved")).toThrow(/^saved was trained with anomalies \[\d/);
    others.release();
    const share = await begin({ anomalies: anomalies(), anomalyShare: 1 });
    expect(() => share.resume(saved, "saved")).toThrow("saved was trained with options.anomalyShare 0.5, not 1");
    share.release();
  });

  test("refuses anomalies that nothing can learn", async () => {
    async function* none(): AsyncGenerator<AnomalousImage> {}
    await expect(begin({ anomalies: none() })).rejects.toThrow(
      "there are no anomalous images with masks to learn from",
    );
    await expect(begin({ anomalies: anomalies(0) })).rejects.toThrow(
      "1 shows no anomaly: nothing is marked in its 1 masks",
    );
    await expect(begin({ anomalies: anomalies(), anomalyShare: 0 })).rejects.toThrow(
      "method grad: expected anomalyShare to be above 0 and at most 1, got 0",
    );
    await expect(begin({ anomalies: anomalies(), decoder: "tiny", branches: "normal" })).rejects.toThrow(
      "training: the method grad does not learn from anomalies with these options",
    );
  });
});
