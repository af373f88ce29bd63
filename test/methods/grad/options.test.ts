// Every option of GRAD changes what is trained, and what was trained with it is the same model when it is read again.
import { describe, expect, test } from "vitest";
import { gradConfig, requireValid, type GradConfig } from "../../../src/methods/grad/config.ts";
import { grad } from "../../../src/methods/grad/method.ts";
import { GRAD_OPTIONS, type GradOptions } from "../../../src/methods/grad/options.ts";
import { stagesOf, type Stage } from "../../../src/methods/grad/stages.ts";
import { Grad } from "../../../src/methods/grad/model.ts";
import { GradTraining } from "../../../src/methods/grad/training.ts";
import { Weights, type StoredTensors } from "../../../src/nn/weights.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, release, toArray } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { CELLS, CHANNELS, images, source, VARIANCE } from "../../harness/smooth_features.ts";

const MAP = { height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE };
const TINY: GradOptions = { form: "published", decoder: "tiny", localGrid: 4, globalGrid: 2 };
const features = source(3);

/** Everything learnt in two steps of a stage. */
async function trained(
  options: GradOptions,
  stage: Stage,
): Promise<{
  readonly config: GradConfig;
  readonly weights: StoredTensors;
  readonly bits: string;
  readonly output: Float32Array;
}> {
  const config = gradConfig(MAP, { ...TINY, ...options });
  const model = new Grad(Weights.drawn(device), config, new RandomStream(3, 0));
  const std = fromArray(
    device,
    [CHANNELS],
    Float32Array.from({ length: CHANNELS }, (_, c) => c + 1),
  );
  const training = new GradTraining(model, features, {
    epochsAbnormal: 1,
    epochsNormal: 1,
    epochsResidual: 1,
    batch: 3,
    leastAbnormal: 50,
    leastNormal: 500,
    leastResidual: 30,
    enoughHits: 0.99,
    anomalyShare: 0.5,
    seed: 5,
    std,
  });
  const position = { stage: stagesOf(config).includes(stage) ? stage : "normal", step: 0 };
  training.restore({ json: { position, optimizerSteps: null }, tensors: new Map() });
  const steps = training.steps();
  for (let i = 0; i < 2; i++) await steps.next();
  const weights = new Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>();
  for (const [name, tensor] of model.weights.all())
    weights.set(name, { shape: tensor.shape, data: await toArray(tensor) });
  const bits = [...weights].map(([name, { data }]) => `${name} ${new Uint32Array(data.buffer).join()}`).join("\n");
  const output = await reconstruction(model);
  training.release();
  model.weights.release();
  release(std);
  return { config, weights, bits, output };
}

async function reconstruction(model: Grad): Promise<Float32Array> {
  using _scope = device.scope();
  return toArray(model.reconstruct(images(1)[0]!, null, "inference"));
}

const ROWS: readonly (readonly [option: string, base: GradOptions, changed: GradOptions, stage: Stage])[] = [
  ["decoder", {}, { decoder: "mobile", blocks: 1 }, "normal"],
  ["blocks", {}, { blocks: 2 }, "normal"],
  ["localGrid", {}, { localGrid: 5 }, "normal"],
  ["globalGrid", {}, { globalGrid: 3 }, "normal"],
  ["branches", {}, { branches: "normal" }, "normal"],
  ["heads", {}, { heads: "separate" }, "normal"],
  ["standardise", {}, { standardise: false }, "abnormal"],
  ["fusion", {}, { fusion: "none" }, "normal"],
  ["lambda", { fusion: "lambda" }, { fusion: "lambda", lambda: 0.7 }, "normal"],
  ["abnormalWeight", {}, { abnormalWeight: -0.5 }, "normal"],
  ["hingeHead", {}, { hingeHead: "own" }, "abnormal"],
  ["hinge", {}, { hinge: 0 }, "abnormal"],
  ["pairs", {}, { pairs: "cosine" }, "abnormal"],
  ["pairCount", { pairs: "cosine" }, { pairs: "cosine", pairCount: 16 }, "abnormal"],
  ["residualWeight", {}, { residualWeight: 1 }, "residual"],
  ["freeze", {}, { freeze: "branch" }, "normal"],
  ["paste.direction", {}, { pasteDirection: "equal" }, "abnormal"],
  ["gridChannels", {}, { gridChannels: 5 }, "normal"],
  ["headWidth", {}, { headWidth: 3 }, "normal"],
  ["abnormalTask", {}, { abnormalTask: "restore" }, "abnormal"],
  ["paste.intensity", {}, { pasteIntensity: [2, 2] }, "abnormal"],
  ["paste.shared", {}, { pasteShared: [1, 1] }, "abnormal"],
  ["paste.signs", {}, { pasteSigns: "cell" }, "abnormal"],
  [
    "paste.source",
    { pasteDirection: "differences" },
    { pasteDirection: "differences", pasteSource: "places" },
    "abnormal",
  ],
  ["paste.walk", {}, { pasteWalk: "paper" }, "abnormal"],
  ["paste.steps", {}, { pasteSteps: 5 }, "abnormal"],
  ["paste.maxHalfSide", {}, { pasteMaxHalfSide: 1.5 }, "abnormal"],
  ["paste.region", {}, { pasteRegion: [0, 0, 0.5, 0.5] }, "abnormal"],
  ["paste.count", {}, { pasteCount: 2 }, "abnormal"],
  ["paste.per", {}, { pastePer: "batch" }, "abnormal"],
  ["paste.blurSigma", {}, { pasteBlurSigma: 2 }, "abnormal"],
  ["paste.blurRadius", {}, { pasteBlurRadius: 0 }, "abnormal"],
];

test("forms are defaults where there are both branches", () => {
  const published = { heads: "shared", fusion: "learned", freeze: "grids", hingeWeight: 0, residualWeight: 0 };
  const joined = { heads: "separate", fusion: "none", freeze: "branch", hingeWeight: 0.2, residualWeight: 4 };
  const nearest = { ...joined, hingeWeight: 0, residualWeight: 0, abnormalTask: "restore", rows: 4096 };
  expect(gradConfig(MAP)).toMatchObject(nearest);
  expect(gradConfig(MAP, { form: "joined" })).toMatchObject({ ...joined, abnormalTask: "detect", rows: 0 });
  expect(gradConfig(MAP, { form: "published" })).toMatchObject(published);
  expect(gradConfig(MAP, { form: "joined", heads: "shared", residualWeight: 0 })).toMatchObject({
    ...joined,
    heads: "shared",
    residualWeight: 0,
  });
  expect(gradConfig(MAP, { form: "joined", pairs: "cosine" })).toMatchObject({ ...joined, hingeWeight: 0 });
  for (const branches of ["normal", "abnormal"] as const)
    expect(gradConfig(MAP, { branches })).toMatchObject(published);
});

const OF_SCORES = ["hingeWeight", "hingeFloor", "residualFloor", "rows", "weighing"]; // change no training: hinges.test.ts, nearest.test.ts

describe("an option changes what is trained, and its model is read again to the same bits:", () => {
  test("each is looked at", () => {
    const { height: _h, width: _w, channels: _c, similarityThreshold: _t, paste, ...own } = gradConfig(MAP, TINY);
    const names = [...Object.keys(own), ...Object.keys(paste).map((name) => `paste.${name}`)];
    expect([...ROWS.map(([name]) => name), ...OF_SCORES].sort()).toEqual(names.sort());
  });

  test.each(ROWS)("%s", async (_option, base, changed, stage) => {
    const before = device.memory().bytes;
    const [plain, other] = [await trained(base, stage), await trained(changed, stage)];
    expect(other.bits).not.toBe(plain.bits);
    expect(other.output.every(Number.isFinite)).toBe(true);
    const config = JSON.parse(JSON.stringify(other.config)) as GradConfig;
    requireValid(config);
    expect(config).toEqual(other.config);
    const again = new Grad(Weights.stored(device, other.weights, "model"), config, new RandomStream(0, 0));
    expect(new Uint32Array((await reconstruction(again)).buffer)).toEqual(new Uint32Array(other.output.buffer));
    again.weights.release();
    // the images that were asked for
    expect(device.memory().bytes - before).toBeLessThanOrEqual(16 * 4 * CELLS * CELLS * CHANNELS);
  });
});

describe("the units of intensities:", () => {
  const pasteOf = (options: GradOptions, variance: number) =>
    gradConfig({ ...MAP, variance }, { ...TINY, ...options }).paste;
  test("equal directions' are those of EfficientNet's features, brought to these features' scale; others' are as they are said", () => {
    expect(pasteOf({ pasteDirection: "equal" }, 24).intensity).toEqual([8, 16]);
    expect(pasteOf({ pasteDirection: "equal" }, 6).intensity).toEqual([4, 8]);
    expect(pasteOf({ pasteDirection: "equal", pasteIntensity: [1, 2] }, 96).intensity).toEqual([2, 4]);
    expect(pasteOf({}, 6).intensity).toEqual([1, 3]);
    expect(pasteOf({ pasteDirection: "differences" }, 6).intensity).toEqual([1, 1]);
  });
  test("blocks are a third of the map", () => {
    expect(gradConfig({ ...MAP, height: 28, width: 28 }, TINY).paste.maxHalfSide).toBeCloseTo(10.02);
    expect(pasteOf({}, 24).maxHalfSide).toBeCloseTo(3.56);
  });
});

test.each<readonly [object, string]>([
  [{ form: "new" }, "grad: expected form to be nearest, joined or published, got new"],
  [{ pairs: "all" }, "grad: expected pairs to be none or cosine, got all"],
  [
    { pairs: "cosine", hingeHead: "own" },
    "grad: expected hingeHead channel with pairs cosine, which compares features and has no use for a head, got own",
  ],
  [{ hingeWeight: -1 }, "grad: expected hingeWeight to be a finite number of at least 0, got -1"],
  [{ residualWeight: -1 }, "grad: expected residualWeight to be a finite number of at least 0, got -1"],
  [
    { hingeWeight: 1, branches: "normal" },
    "grad: expected an abnormal branch and pairs none for hinge scores of weight 1, got branches normal and pairs none",
  ],
  [
    { residualWeight: 2 },
    "grad: expected rows 0 and abnormalTask detect (form joined) for hinges of weight 0 and 2, got 4096 and restore",
  ],
  [
    { rows: 0, hingeWeight: 1 },
    "grad: expected rows 0 and abnormalTask detect (form joined) for hinges of weight 1 and 0, got 0 and restore",
  ],
  [{ hingeFloor: Infinity }, "grad: expected hingeFloor to be a finite number, got Infinity"],
  [{ pairCount: 0 }, "grad: expected pairCount to be a whole number from 1 to 1048576, got 0"],
  [{ pasteIntensity: [3, 1] }, "grad paste: expected a finite intensity [low, high], got [3,1]"],
  [{ pasteDirection: "up" }, "grad: expected pasteDirection to be equal, random or differences, got up"],
  [{ pasteMaxHalfSide: 9 }, "grad paste: expected maxHalfSide from 0.5 to 4, got 9 for 9x9 cells"],
  [{ pasteSize: 1 }, "grad: unknown option pasteSize; it takes decoder, branches"],
])("%o is refused", (options, message) => {
  expect(() => gradConfig(MAP, options)).toThrow(message);
});

test.each<readonly [string, GradOptions, number, number]>([
  ["the smallest decoder by itself, for a pretrained network's channels", { decoder: "tiny", form: "joined" }, 272, 1],
  ["the same beside distances to good cells", { decoder: "tiny" }, 272, 0],
  ["a wider decoder", { decoder: "compact", form: "joined" }, 272, 0],
  ["few channels", { decoder: "tiny", form: "joined" }, 40, 0],
])("%s: remarks", (_what, given, channels, count) => {
  const options = resolveOptions("grad", GRAD_OPTIONS, given);
  const remarks = grad.remarks(grad.configure({ ...MAP, channels, images: 20 }, options));
  expect(remarks).toEqual(
    Array.from({ length: count }, () => expect.stringContaining(`${channels} channels`) as string),
  );
});

test.each<readonly [GradOptions, (inputs: number) => number]>([
  [{}, (inputs) => 1 / Math.sqrt(3 * inputs)],
  [{ initialWeights: "small" }, () => 0.01],
  [{ form: "joined" }, () => 0.01],
])("initial weights with %j", async (given, stdOf) => {
  const options = resolveOptions("grad", GRAD_OPTIONS, { decoder: "tiny", ...given });
  const weights = Weights.drawn(device);
  const std = fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(1));
  const config = grad.configure({ ...MAP, images: 3 }, options);
  const fit = grad.begin(config, options, { weights, features, anomalies: null, std, seed: 5 });
  const named = new Map([...weights.all()]);
  for (const name of ["normal.decoder.in.weight", "abnormal.decoder.block0.expand.weight"]) {
    const tensor = named.get(name)!;
    const values = await toArray(tensor);
    const spread = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    expect(spread / stdOf(tensor.shape[0]!), name).toBeGreaterThan(0.9);
    expect(spread / stdOf(tensor.shape[0]!), name).toBeLessThan(1.1);
  }
  fit.release();
  weights.release();
  release(std);
});
