import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import type { DetectorConfig } from "../../src/models/detector.ts";
import { decodeDetector, encodeDetector } from "../../src/models/detector_file.ts";
import { gradConfig } from "../../src/models/grad/config.ts";
import { Grad } from "../../src/models/grad/model.ts";
import { anomalyCells, HingeStatistics, joinedMap } from "../../src/models/hinge_score.ts";
import { Training, type TrainingImage } from "../../src/models/training.ts";
import { Weights } from "../../src/nn/weights.ts";
import { anomalyMap } from "../../src/ops/losses.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { toArray } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { CELLS, CHANNELS, images, VARIANCE } from "../smooth_features.ts";

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
const deviation = (values: readonly number[]) => Math.sqrt(mean(values.map((x) => (x - mean(values)) ** 2)));

test("scores count from so many deviations above the mean of good ones, in units of theirs and of the map's", () => {
  const [residual, hinge] = [[1, 2, 4, 9, 5, 3], [-0.5, -0.75, -0.25, 0.5, -1, -0.5]];
  const statistics = new HingeStatistics();
  for (const part of [0, 3]) statistics.add(Float32Array.from(residual.slice(part, part + 3)), Float32Array.from(hinge.slice(part, part + 3)));
  const { floor, weight } = statistics.score(2, 0.25);
  expect(floor).toBeCloseTo(mean(hinge) + 2 * deviation(hinge), 12);
  expect(weight).toBeCloseTo((0.25 * deviation(residual)) / deviation(hinge), 12);
  const still = new HingeStatistics();
  still.add(Float32Array.of(1, 2), Float32Array.of(3, 3));
  expect(still.score(1, 0.25)).toEqual({ floor: 3, weight: 0 });
});

test("the joined map is the residual, and above the floor the hinge's score of the features as they are", async () => {
  const config = gradConfig({ height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE }, { decoder: "tiny", hingeHead: "own", heads: "separate", fusion: "none", hingeWeight: 1 });
  const model = new Grad(Weights.drawn(device), config, new RandomStream(3, 0));
  const [features] = images(1);
  const cells = anomalyCells(model, features!);
  const [residual, hinge] = await Promise.all([toArray(cells.residual), toArray(cells.hinge!)]);
  const reconstruction = model.reconstruct(features!, null, "inference");
  expect(residual).toEqual(await toArray(anomalyMap(features!, reconstruction, { threshold: config.similarityThreshold })));
  expect(hinge).toEqual(await toArray(model.hingeScores(model.abnormal(features!, null, "inference"))));
  const floor = [...hinge].sort((a, b) => a - b)[40]!;
  const joined = await toArray(joinedMap(cells, { floor, weight: 1000 }));
  joined.forEach((x, i) => expect(Math.abs(x - residual[i]! - 1000 * Math.max(0, hinge[i]! - floor))).toBeLessThan(1e-5 * (1 + Math.abs(x))));
  expect(joined.filter((x, i) => x > residual[i]!).length).toBeGreaterThan(20);
  expect(await toArray(joinedMap(cells, null))).toEqual(residual);
});

test("a model without a hinge weight has no hinge to look at", () => {
  const config = gradConfig({ height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE }, { decoder: "tiny" });
  expect(anomalyCells(new Grad(Weights.drawn(device), config, new RandomStream(3, 0)), images(1)[0]!).hinge).toBeNull();
});

test("statistics go on where others were", () => {
  const [whole, first] = [new HingeStatistics(), new HingeStatistics()];
  expect(whole.isEmpty).toBe(true);
  for (const values of [[1, 2], [4, 7, 3]]) whole.add(Float32Array.from(values), Float32Array.from(values, (x) => x * x));
  first.add(Float32Array.of(1, 2), Float32Array.of(1, 4));
  const second = new HingeStatistics(JSON.parse(JSON.stringify(first.state)) as typeof first.state);
  second.add(Float32Array.of(4, 7, 3), Float32Array.of(16, 49, 9));
  expect(second.score(1, 1)).toEqual(whole.score(1, 1));
});

test("a detector keeps in its file how its hinge joins the map, and judges by it", async () => {
  const [scene] = synthesise({ size: 64, train: 11, good: 1, defective: 1, seed: 1 }) as [ReturnType<typeof synthesise>[number]];
  const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }) => ({ width: 64, height: 64, data: rgba });
  async function* good(): AsyncGenerator<TrainingImage> {
    for (const picture of scene.train) yield { className: "weave", image: pictureOf(picture) };
  }
  const grad = { decoder: "tiny", hingeHead: "own", heads: "separate", fusion: "none", hingeWeight: 0.5, hingeFloor: 0 } as const;
  const before = device.memory().bytes;
  const training = await Training.begin(device, good(), { grad, inputSize: 64, epochsAbnormal: 1, epochsNormal: 1, batch: 4, seed: 1, folds: 0 });
  for await (const { taken } of training.fit()) if (taken === 12) break;
  const detector = await training.finish();
  expect(detector.config.hinge!.weight).toBeGreaterThan(0);
  const file = await encodeDetector(detector);
  const pictures = scene.test.map(pictureOf);
  const inspections = await detector.inspect(pictures);
  const again = await decodeDetector(device, file, "model");
  expect(again.config).toEqual(detector.config);
  expect(await again.inspect(pictures)).toEqual(inspections);

  // The same file with the hinge taken out of it.
  const { tensors, metadata } = decodeSafetensors(file, "model");
  const changed = (hinge: unknown) => encodeSafetensors({ tensors, metadata: { ...metadata, config: JSON.stringify({ ...(JSON.parse(metadata["config"]!) as DetectorConfig), hinge }) } });
  const without = await decodeDetector(device, changed(null), "model");
  const plain = await without.inspect(pictures);
  inspections.forEach(({ map, score }, i) => {
    expect(map.every((x, at) => x >= plain[i]!.map[at]! * (1 - 1e-5))).toBe(true);
    expect(score).toBeGreaterThan(plain[i]!.score);
  });
  await expect(decodeDetector(device, changed({ floor: 1, weight: "much" }), "m")).rejects.toThrow("m: the configuration in its metadata is not that of a detector");
  for (const other of [detector, again, without]) other.release();
  expect(device.memory().bytes).toBe(before);
});

describe("a hinge is weighed by images that were not trained on:", () => {
  const [scene] = synthesise({ size: 64, train: 4, good: 1, defective: 1, seed: 1 }) as [ReturnType<typeof synthesise>[number]];
  async function* good(): AsyncGenerator<TrainingImage> {
    for (const { rgba } of scene.train) yield { className: "weave", image: { width: 64, height: 64, data: rgba } };
  }
  const grad = { decoder: "tiny", heads: "separate", fusion: "none", hingeWeight: 0.5 } as const;
  const begin = (folds: number) =>
    Training.begin(device, good(), { grad, inputSize: 64, epochsAbnormal: 1, epochsNormal: 1, leastAbnormal: 2, leastNormal: 2, batch: 4, seed: 1, folds });

  test("those that other models judge where there are few, also when training was left in between", async () => {
    const training = await begin(2);
    const second = await begin(2);
    for await (const { run, taken } of training.fit()) {
      if (run === 3 && taken === 9) second.resume(await training.save(), "saved");
    }
    for await (const _step of second.fit());
    const [whole, resumed] = [await training.finish(), await second.finish()];
    expect(whole.config.hinge!.weight).toBeGreaterThan(0);
    expect(resumed.config).toEqual(whole.config);
    for (const detector of [whole, resumed]) detector.release();
  });

  test("where there are none, it does not count", async () => {
    const training = await begin(0);
    for await (const _step of training.fit());
    const detector = await training.finish();
    expect(detector.config.hinge).toBeNull();
    detector.release();
  });
});
