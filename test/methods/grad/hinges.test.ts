import { describe, expect, test } from "vitest";
import { synthesise } from "../../../src/data/synthetic.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../src/io/safetensors.ts";
import type { Detector, DetectorConfig } from "../../../src/detection/detector.ts";
import { decodeDetector, encodeDetector } from "../../../src/detection/model_file.ts";
import { gradConfig } from "../../../src/methods/grad/config.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import {
  anomalyCells,
  HingeStatistics,
  joined,
  type HingeJoin,
  type HingeJoins,
} from "../../../src/methods/grad/hinges.ts";
import type { TrainingImage } from "../../../src/detection/views.ts";
import { Training } from "../../../src/detection/training.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { anomalyMap } from "../../../src/ops/losses.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, toArray } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { CELLS, CHANNELS, images, VARIANCE } from "../../harness/smooth_features.ts";
import { inputsOf } from "../../harness/inputs.ts";

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
const joinsOf = ({ config }: Detector): HingeJoins =>
  (config.method.config as unknown as { readonly joins: HingeJoins }).joins;
const weights = (some: object) => ({ hingeWeight: 0, hingeFloor: 1, residualWeight: 0, residualFloor: 0, ...some });
const std = (values: readonly number[]) => Math.sqrt(mean(values.map((x) => (x - mean(values)) ** 2)));

test("scores count from so many deviations above the mean of good ones, in units of theirs and of the map's", () => {
  const [errors, abnormal, residual] = [
    [1, 2, 4, 9, 5, 3],
    [-0.5, -0.75, -0.25, 0.5, -1, -0.5],
    [3, 1, 2, 2, 8, 5],
  ];
  const statistics = new HingeStatistics();
  for (const part of [0, 3]) {
    const [own, first, second] = [errors, abnormal, residual].map((values) =>
      Float32Array.from(values.slice(part, part + 3)),
    );
    statistics.add(own!, { abnormal: first!, residual: second! });
  }
  const scores = statistics.joins(
    weights({ hingeWeight: 0.25, hingeFloor: 2, residualWeight: 0.5, residualFloor: -1 }),
  );
  expect(scores.abnormal!.floor).toBeCloseTo(mean(abnormal) + 2 * std(abnormal), 12);
  expect(scores.abnormal!.weight).toBeCloseTo((0.25 * std(errors)) / std(abnormal), 12);
  expect(scores.residual!.floor).toBeCloseTo(mean(residual) - std(residual), 12);
  expect(scores.residual!.weight).toBeCloseTo((0.5 * std(errors)) / std(residual), 12);
  const still = new HingeStatistics();
  still.add(Float32Array.of(1, 2), { abnormal: Float32Array.of(3, 3) });
  expect(still.joins(weights({ hingeWeight: 0.25 }))).toEqual({ abnormal: { floor: 3, weight: 0 } });
});

test("what joins are, above their floors, the hinges' scores of the features as they are", async () => {
  const joining = {
    form: "joined",
    decoder: "tiny",
    hingeHead: "own",
    heads: "separate",
    fusion: "none",
    hingeWeight: 1,
    residualWeight: 1,
  } as const;
  const config = gradConfig({ height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE }, joining);
  const model = new Grad(Weights.drawn(device), config, new RandomStream(3, 0));
  const [features] = images(1);
  const cells = anomalyCells(model, features!);
  const [errors, abnormal, residual] = await Promise.all(
    [cells.errors, cells.hinges.abnormal!, cells.hinges.residual!].map((tensor) => toArray(tensor)),
  );
  const reconstruction = model.reconstruct(features!, null, "inference");
  expect(errors).toEqual(
    await toArray(anomalyMap(features!, reconstruction, { threshold: config.similarityThreshold })),
  );
  expect(abnormal).toEqual(await toArray(model.hingeScores(model.abnormal(features!, null, "inference"))));
  expect(residual).toEqual(await toArray(model.residualScores(features!, reconstruction)));
  const scoreOf = (values: Float32Array, weight: number) => ({ floor: [...values].sort((a, b) => a - b)[40]!, weight });
  const scores = { abnormal: scoreOf(abnormal!, 1000), residual: scoreOf(residual!, 30) };
  const over = (values: Float32Array, { floor, weight }: HingeJoin, i: number) =>
    weight * Math.max(0, values[i]! - floor);
  for (const [name, values] of [
    ["abnormal", abnormal!],
    ["residual", residual!],
  ] as const) {
    (await toArray(joined(cells, scores, name)!)).forEach((x, i) => {
      expect(Math.abs(x - errors![i]! - over(values, scores[name], i))).toBeLessThan(1e-5 * (1 + Math.abs(x)));
    });
    expect(values.filter((_, i) => over(values, scores[name], i) > 0).length).toBeGreaterThan(20);
    expect(joined(cells, {}, name)).toBeNull();
  }
});

test("the residual's hinge sees |r - a| in units of the channels' deviations", async () => {
  const config = gradConfig(
    { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE },
    { decoder: "tiny", branches: "normal", residualWeight: 1 },
  );
  const model = new Grad(Weights.drawn(device), config, new RandomStream(3, 0));
  // a channel that never varies
  const std = Float32Array.from({ length: CHANNELS }, (_, c) => (c === 2 ? 0 : c + 1));
  model.setResidualUnit(fromArray(device, [CHANNELS], std));
  const least = 0.01 * mean([...std]);
  const unit = await toArray(model.weights.states.get("residual.unit")!);
  unit.forEach((x, c) => expect(x).toBeCloseTo(Math.max(std[c]!, least), 5));
  const [features] = images(1);
  const reconstruction = model.reconstruct(features!, null, "inference");
  const [a, r, got] = await Promise.all(
    [features!, reconstruction, model.residualScores(features!, reconstruction)].map((tensor) => toArray(tensor)),
  );
  const [w1, b1, w2, b2] = await Promise.all(
    ["layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"].map((name) =>
      toArray(model.weights.parameters.get(`residual.${name}`)!),
    ),
  );
  const width = b1!.length;
  got!.forEach((score, i) => {
    let expected = b2![0]!;
    for (let j = 0; j < width; j++) {
      let x = b1![j]!;
      for (let c = 0; c < CHANNELS; c++)
        x += (Math.abs(r![i * CHANNELS + c]! - a![i * CHANNELS + c]!) / unit[c]!) * w1![c * width + j]!;
      expected += x * Math.min(Math.max(x / 6 + 0.5, 0), 1) * w2![j]!;
    }
    expect(Math.abs(score - expected)).toBeLessThan(1e-4 * (1 + Math.abs(expected)));
  });
});

test("a model without a hinge weight has no hinge to look at", () => {
  const config = gradConfig(
    { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE },
    { form: "published", decoder: "tiny" },
  );
  expect(anomalyCells(new Grad(Weights.drawn(device), config, new RandomStream(3, 0)), images(1)[0]!).hinges).toEqual(
    {},
  );
});

test("statistics go on where others were", () => {
  const [whole, first] = [new HingeStatistics(), new HingeStatistics()];
  expect(whole.isEmpty).toBe(true);
  const add = (to: HingeStatistics, values: readonly number[]) =>
    to.add(Float32Array.from(values), { abnormal: Float32Array.from(values, (x) => x * x) });
  for (const values of [
    [1, 2],
    [4, 7, 3],
  ])
    add(whole, values);
  add(first, [1, 2]);
  const second = HingeStatistics.from(JSON.parse(JSON.stringify(first.state)) as typeof first.state);
  add(second, [4, 7, 3]);
  const both = weights({ hingeWeight: 1, residualWeight: 1 });
  expect(second.joins(both)).toEqual(whole.joins(both));
});

test("a detector keeps in its file how its hinge joins the map, and scores by it", async () => {
  const [scene] = synthesise({ size: 64, train: 11, good: 1, defective: 1, seed: 1 }) as [
    ReturnType<typeof synthesise>[number],
  ];
  const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }) => ({ width: 64, height: 64, data: rgba });
  async function* good(): AsyncGenerator<TrainingImage> {
    for (const picture of scene.train) yield { className: "weave", image: pictureOf(picture) };
  }
  const grad = {
    form: "joined",
    decoder: "tiny",
    hingeHead: "own",
    heads: "separate",
    fusion: "none",
    hingeWeight: 0.5,
    hingeFloor: 0,
    residualWeight: 0.5,
  } as const;
  const before = device.memory().bytes;
  const training = await Training.begin(device, good(), {
    ...grad,
    inputSize: 64,
    epochsAbnormal: 1,
    epochsNormal: 1,
    batch: 4,
    seed: 1,
    folds: 0,
  });
  for await (const { taken } of training.fit()) if (taken === 12) break;
  const detector = await training.finish();
  for (const name of ["abnormal", "residual"] as const) expect(joinsOf(detector)[name]!.weight).toBeGreaterThan(0);
  const file = await encodeDetector(detector);
  const pictures = scene.test.map(pictureOf);
  const inspections = await detector.inspect(inputsOf(pictures));
  const again = await decodeDetector(device, file, "model");
  expect(again.config).toEqual(detector.config);
  expect(await again.inspect(inputsOf(pictures))).toEqual(inspections);

  // The same file with a hinge taken out of it.
  const { tensors, metadata } = decodeSafetensors(file, "model");
  const changed = (joins: unknown) => {
    const config = JSON.parse(metadata["config"]!) as DetectorConfig;
    const method = { ...config.method, config: { ...(config.method.config as object), joins } };
    return encodeSafetensors({ tensors, metadata: { ...metadata, config: JSON.stringify({ ...config, method }) } });
  };
  for (const name of ["abnormal", "residual"] as const) {
    const without = await decodeDetector(device, changed({ ...joinsOf(detector), [name]: undefined }), "model");
    const plain = await without.inspect(inputsOf(pictures));
    inspections.forEach(({ map, score }, i) => {
      if (name === "abnormal") {
        expect(map.every((x, at) => x >= plain[i]!.map[at]! * (1 - 1e-5))).toBe(true);
        expect(map).not.toEqual(plain[i]!.map);
        expect(score).toBe(plain[i]!.score);
      } else {
        expect(map).toEqual(plain[i]!.map);
        expect(score).not.toBe(plain[i]!.score);
      }
    });
    without.release();
  }
  await expect(decodeDetector(device, changed({ residual: { floor: 1, weight: "much" } }), "m")).rejects.toThrow(
    "m: grad: expected joins to have a finite floor and a weight of at least 0 each",
  );
  for (const other of [detector, again]) other.release();
  expect(device.memory().bytes).toBe(before);
});

describe("a hinge is weighed by images that were not trained on:", () => {
  const [scene] = synthesise({ size: 64, train: 4, good: 1, defective: 1, seed: 1 }) as [
    ReturnType<typeof synthesise>[number],
  ];
  async function* good(): AsyncGenerator<TrainingImage> {
    for (const { rgba } of scene.train) yield { className: "weave", image: { width: 64, height: 64, data: rgba } };
  }
  const grad = {
    form: "joined",
    decoder: "tiny",
    heads: "separate",
    fusion: "none",
    hingeWeight: 0.5,
    residualWeight: 0.5,
  } as const;
  const begin = (folds: number) =>
    Training.begin(device, good(), {
      ...grad,
      inputSize: 64,
      epochsAbnormal: 1,
      epochsNormal: 1,
      leastAbnormal: 2,
      leastNormal: 2,
      epochsResidual: 1,
      leastResidual: 2,
      batch: 4,
      seed: 1,
      folds,
    });

  test("those that other models score where there are few, also when training was left in between", async () => {
    const training = await begin(2);
    const second = await begin(2);
    for await (const { model, taken } of training.fit()) {
      if (model === 3 && taken === 13) second.resume(await training.save(), "saved");
    }
    for await (const _step of second.fit());
    const [whole, resumed] = [await training.finish(), await second.finish()];
    for (const name of ["abnormal", "residual"] as const) expect(joinsOf(whole)[name]!.weight).toBeGreaterThan(0);
    expect(resumed.config).toEqual(whole.config);
    for (const detector of [whole, resumed]) detector.release();
  });

  test("where there are none, it does not count", async () => {
    const training = await begin(0);
    for await (const _step of training.fit());
    const detector = await training.finish();
    expect(joinsOf(detector)).toEqual({});
    detector.release();
  });
});
