// What every method keeps, whatever it learns: a method that is added gets a row in SMALL, and nothing else here.
import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import type { Detector } from "../../src/detection/detector.ts";
import { estimateMemory, inferenceBytes, planMemoryModel, trainingBytes } from "../../src/detection/memory_estimate.ts";
import { decodeDetector, encodeDetector } from "../../src/detection/model_file.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingStep } from "../../src/detection/training_options.ts";
import { TRAINING_OPTIONS, type TrainingOptions } from "../../src/detection/training_options.ts";
import type { FeatureSource, Json } from "../../src/methods/method.ts";
import { loadMethod, METHOD_NAMES, type MethodName } from "../../src/methods/registry.ts";
import { Weights } from "../../src/nn/weights.ts";
import { concat } from "../../src/ops/shape.ts";
import { briefOptions, requireKind, resolveOptions } from "../../src/runtime/option_table.ts";
import { fromArray, release, toArray } from "../../src/tensor/tensor.ts";
import { countedDevice, expectCovered } from "../harness/counted_device.ts";
import { device } from "../harness/device.ts";
import { expectSameScores } from "../onnx/onnxruntime.ts";
import { poison } from "../harness/operation.ts";
import { inputsOf } from "../harness/inputs.ts";
import { SMALL } from "../harness/small_methods.ts";

/** Fields of a configuration that files of earlier builds lack; these are read as before there was the field. */
const LATER: { readonly [N in MethodName]: readonly string[] } = {
  dfr: [],
  grad: ["gridChannels", "headWidth", "abnormalTask", "rows", "weighing"],
  padim: [],
  patchcore: [],
  crad: [],
  simplenet: [],
  uniad: [],
  riad: [],
};

const SIZE = 64;
const CHUNK = 1 << 26; // that the features' store takes at a time
const FILTERS = 1 << 11; // bytes that resize pictures of another size than the one that predictions are stated for
const [scene] = synthesise({ size: SIZE, train: 12, good: 1, defective: 1, seed: 3 }) as [
  ReturnType<typeof synthesise>[number],
];
const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }) => ({ width: SIZE, height: SIZE, data: rgba });
const tested = scene.test.map(pictureOf);

async function* good(): AsyncGenerator<TrainingImage> {
  for (const image of scene.train) yield { className: "weave", image: pictureOf(image) };
}

const begin = (name: MethodName) =>
  Training.begin(device, good(), { method: name, inputSize: SIZE, seed: 7, ...SMALL[name] });

/** Takes steps until there are so many in all, or to the end. */
async function stepTo(training: Training, taken = Infinity): Promise<TrainingStep[]> {
  const steps: TrainingStep[] = [];
  if (training.taken >= taken) return steps;
  for await (const step of training.fit()) {
    steps.push(step);
    if (step.taken >= taken) break;
  }
  return steps;
}

interface Trained {
  /** The model file. */
  readonly file: Uint8Array;
  readonly steps: readonly TrainingStep[];
}

const known = new Map<MethodName, Promise<Trained>>();

/** A whole training, once for each method. */
function trained(name: MethodName): Promise<Trained> {
  const train = async (): Promise<Trained> => {
    const training = await begin(name);
    const steps = await stepTo(training);
    const detector = await training.finish();
    const file = await encodeDetector(detector);
    detector.release();
    return { file, steps };
  };
  if (!known.has(name)) known.set(name, train());
  return known.get(name)!;
}

const detectorOf = async (name: MethodName): Promise<Detector> =>
  decodeDetector(device, (await trained(name)).file, "model");

/** Random features, of which each image has its own, in batches of any images. */
function featureSource(count: number, [height, width, channels]: readonly [number, number, number]): FeatureSource {
  const images = Array.from({ length: count }, (_, n) => {
    const values = Float32Array.from(
      { length: height * width * channels },
      (_, i) => 3 * Math.sin(0.7 * i + n) + 0.1 * n,
    );
    return fromArray(device, [1, height, width, channels], values);
  });
  return {
    count,
    batch: (indices) =>
      Promise.resolve(
        concat(
          indices.map((i) => images[i]!),
          0,
        ),
      ),
  };
}

describe.each(METHOD_NAMES)("the method %s", (name) => {
  test("can be left, saved and ended anywhere in any stage, goes on to the same bits, and gives all memory back", async () => {
    const { file: expected, steps } = await trained(name);
    const inStage = (stage: string): readonly number[] =>
      steps.filter((step) => step.stage === stage).map(({ taken }) => taken);
    const stages = [...new Set(steps.map(({ stage }) => stage))].map(inStage);
    const before = device.memory().bytes;
    for (const pause of new Set([0, ...stages.flatMap((taken) => [taken[(taken.length - 1) >> 1]!, taken.at(-1)!])])) {
      const first = await begin(name);
      await stepTo(first, pause);
      const saved = await first.save();
      expect(await first.save()).toEqual(saved);
      const early = await first.finish();
      for (const { score, peak, map } of await early.inspect(inputsOf(tested))) {
        for (const value of [score, peak, ...map])
          expect(Number.isFinite(value) && value >= 0, `${value} after step ${pause}`).toBe(true);
      }
      early.release();
      expect(device.memory().bytes, `ended after step ${pause}`).toBe(before);

      const second = await begin(name);
      await stepTo(second, 2); // which must leave no trace
      second.resume(saved, "saved");
      expect(await second.save()).toEqual(saved);
      await stepTo(second);
      const resumed = await second.finish();
      expect(await encodeDetector(resumed), `left after step ${pause}`).toEqual(expected);
      resumed.release();
      expect(device.memory().bytes, `left after step ${pause}`).toBe(before);
    }
  });

  test("has equal scores from its model file, in half precision nearly so", async () => {
    const training = await begin(name);
    await stepTo(training);
    const detector = await training.finish();
    const expected = await detector.inspect(inputsOf(tested));
    const file = await encodeDetector(detector);
    detector.release();
    expect(file).toEqual((await trained(name)).file); // the same bits again
    const restored = await decodeDetector(device, file, "model");
    expect(await restored.inspect(inputsOf(tested))).toEqual(expected);
    expect(await encodeDetector(restored)).toEqual(file);
    expect(restored.summary.length).toBeGreaterThan(0);
    restored.release();
    if (!device.gpu.features.has("shader-f16")) return;
    const before = device.memory().allocations;
    const half = await decodeDetector(device, file, "model", { half: true });
    const narrow = await half.inspect(inputsOf(tested));
    narrow.forEach(({ score, peak }, i) => {
      expect(Math.abs(score / expected[i]!.score - 1)).toBeLessThan(1e-2);
      expect(Math.abs(peak / expected[i]!.peak - 1)).toBeLessThan(1e-2);
    });
    expect(narrow.map(({ score }) => score)).not.toEqual(expected.map(({ score }) => score));
    half.release();
    expect(device.memory().allocations).toBe(before);
  });

  test("scores captured features to the bits of uncaptured ones", async () => {
    const detector = await detectorOf(name);
    const method = await loadMethod(name);
    const { config } = detector.config.method;
    const { height, width, channels } = method.validate(config);
    const read = await Promise.all(
      [...detector.tensors()].map(
        async ([key, tensor]) => [key, { shape: tensor.shape, data: await toArray(tensor) }] as const,
      ),
    );
    const model = method.restore(config, Weights.stored(device, new Map(read), "model"));
    model.weights.freeze();
    const { batch } = featureSource(3, [height, width, channels]);
    const features = await batch([0, 1, 2]);
    const score = () => {
      const { map, image } = model.score(features);
      return [map, ...(image ? [image] : [])];
    };
    const bitsOf = (tensors: ReturnType<typeof score>) =>
      Promise.all(tensors.map(async (tensor) => new Uint32Array((await toArray(tensor)).buffer)));
    const eager = await bitsOf(score());
    expect(eager.map(({ length }) => length)[0]).toBe(3 * height * width);
    const { program, result } = device.capture(score);
    for (let i = 0; i < 2; i++) {
      poison();
      program.run();
      expect(await bitsOf(result)).toEqual(eager);
    }
    program.release();
    detector.release();
  });

  test("has options with help and defaults within range, none of them one of every training, and no others", async () => {
    const { options: table, title, source, name: own } = await loadMethod(name);
    expect([own, title.length > 0, source.length > 0]).toEqual([name, true, true]);
    for (const pretrained of [true, false]) {
      const values = resolveOptions(name, table, {}, { pretrained });
      for (const [option, spec] of Object.entries(table)) {
        expect(spec.help, option).toMatch(/^\S.*[^.\s]$/);
        if (values[option] !== null) requireKind(name, option, spec, values[option]);
        else expect(spec.defaultText, option).toBeDefined();
      }
    }
    resolveOptions(name, table, briefOptions(table) as object);
    expect(Object.keys(table).filter((option) => Object.hasOwn(TRAINING_OPTIONS, option))).toEqual([]);
    await expect(Training.begin(device, good(), { method: name, unheardOf: 1 } as object)).rejects.toThrow(
      `method ${name}: unknown option unheardOf`,
    );
  });

  test("refuses a configuration with any field missing or absurd", async () => {
    const { validate, configure, options: table } = await loadMethod(name);
    const spec = { height: 8, width: 8, channels: 4, variance: 1, images: 3 };
    const config = configure(spec, resolveOptions(name, table, SMALL[name])) as Readonly<Record<string, Json>>;
    const { height, width, channels } = spec;
    expect(validate(config)).toEqual({ height, width, channels });
    expect(Object.keys(config).length).toBeGreaterThan(3);
    for (const field of LATER[name]) {
      const { [field]: _left, ...others } = config;
      expect(validate(others), `without ${field}`).toEqual({ height, width, channels });
    }
    for (const field of Object.keys(config)) {
      const { [field]: _left, ...others } = config;
      if (!LATER[name].includes(field)) expect(() => validate(others), `without ${field}`).toThrow(`${name}`);
      for (const absurd of ["absurd", null, [7]])
        expect(() => validate({ ...config, [field]: absurd }), `${field} ${JSON.stringify(absurd)}`).toThrow(`${name}`);
    }
    for (const extent of Object.keys({ height, width, channels })) {
      for (const absurd of [-1, 0, 1.5, 1e9])
        expect(() => validate({ ...config, [extent]: absurd }), `${extent} ${absurd}`).toThrow(
          `${name}: expected ${extent}`,
        );
    }
    for (const absurd of [null, "absurd", 7, []]) expect(() => validate(absurd)).toThrow(`${name}: expected`);
  });

  test("says truly which steps are left", async () => {
    const method = await loadMethod(name);
    const spec = { height: 9, width: 9, channels: 8, variance: 4, images: 5 };
    const options = resolveOptions(name, method.options, SMALL[name]);
    const config = method.configure(spec, options);
    const std = fromArray(device, [spec.channels], new Float32Array(spec.channels).fill(2));
    const fit = method.begin(config, options, {
      weights: Weights.drawn(device),
      features: featureSource(spec.images, [9, 9, 8]),
      anomalies: null,
      std,
      seed: 1,
    });
    const plan = method.plan(config, options, spec.images);
    const left = () => Object.fromEntries(fit.remaining.map(({ stage, steps }) => [stage, steps]));
    expect(fit.remaining).toEqual(plan.map(({ stage, steps }) => ({ stage, steps })));
    const taken: Record<string, number> = {};
    for await (const { stage, step, steps } of fit.steps()) {
      taken[stage] = (taken[stage] ?? 0) + 1;
      expect([step, steps]).toEqual([taken[stage], plan.find((planned) => planned.stage === stage)!.steps]);
      expect(left()[stage] ?? 0).toBe(steps - step);
    }
    expect(taken).toEqual(Object.fromEntries(plan.map(({ stage, steps }) => [stage, steps])));
    expect(fit.remaining).toEqual([]);
    fit.release();
    fit.model.weights.release();
    release(std);
  });

  test("has the same scores and maps as an ONNX model", async () => {
    const detector = await detectorOf(name);
    await expectSameScores(detector, tested);
    detector.release();
  });

  test("takes the memory that is predicted, in training and in scoring", async () => {
    const { own, peak } = await countedDevice();
    // what predictions are stated for
    const [picture] = synthesise({ size: 1024, train: 1, good: 0, defective: 0, seed: 1 })[0]!.train;
    async function* pictures(): AsyncGenerator<TrainingImage> {
      yield { className: "weave", image: { width: 1024, height: 1024, data: picture!.rgba } };
      for (const image of scene.train.slice(1, 8)) yield { className: "weave", image: pictureOf(image) };
    }
    const model = await planMemoryModel(own, { method: name, inputSize: SIZE, images: 8, options: SMALL[name] });
    const options = { method: name, inputSize: SIZE, seed: 0, folds: 0, ...SMALL[name] } as TrainingOptions;
    const training = await Training.begin(own, pictures(), options);
    await stepTo(training);
    expectCovered(await trainingBytes(own, model), peak() - CHUNK - FILTERS);
    expect((await estimateMemory(own, model, {})).training).toMatchObject({
      images: 8,
      bytes: await trainingBytes(own, model),
    });
    const file = await encodeDetector(await training.finish());
    own.destroy();
    const other = await countedDevice();
    const detector = await decodeDetector(other.own, file, "model");
    for (let i = 0; i < 2; i++) await detector.inspect(inputsOf([{ width: 1024, height: 1024, data: picture!.rgba }]));
    expectCovered(await inferenceBytes(other.own, model, 1), other.peak());
    other.own.destroy();
  });
});

test("every method has a row here", () => {
  expect(Object.keys(SMALL)).toEqual(METHOD_NAMES);
});
