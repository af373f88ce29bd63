import { describe, expect, test } from "vitest";
import { trainDetector } from "../../../src/detection/train_detector.ts";
import type { FeatureSource, Fit, FitInput } from "../../../src/methods/method.ts";
import { componentsFor, spreadOver } from "../../../src/methods/dfr/components.ts";
import { autoencoderOptimizer } from "../../../src/methods/dfr/fit.ts";
import { dfr } from "../../../src/methods/dfr/method.ts";
import { DfrModel } from "../../../src/methods/dfr/model.ts";
import { DFR_OPTIONS, type DfrOptions } from "../../../src/methods/dfr/options.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { valueAndGradients } from "../../../src/ops/gradients.ts";
import { mseLoss } from "../../../src/ops/losses.ts";
import { OptionError, ShapeError } from "../../../src/runtime/errors.ts";
import { resolveOptions } from "../../../src/runtime/option_table.ts";
import { countOf, fromArray, release, toArray, zeros, type Shape, type Tensor } from "../../../src/tensor/tensor.ts";
import golden from "../../golden/dfr.json";
import { device } from "../../harness/device.ts";
import { difference } from "../../harness/summaries.ts";
import { madeUpPicture } from "../../harness/made_up_detector.ts";
import { uniform } from "../../harness/made_up_network.ts";
import { expectSameScores } from "../../onnx/onnxruntime.ts";

const { batch, side, channels, latent, images } = golden.sizes;
const BOUND = 1e-4;
const LEARNING_RATE = 0.001;
const [WEIGHT_KEY, FEATURE_KEY, GOOD_KEY, SEEN_KEY] = [1, 5000, 6000, 7000];
const spec = { height: side, width: side, channels, variance: 1, images };

/** As tools/golden/dfr.py makes them: `[count, side, side, channels]`. */
function cellsOf(count: number, key: number): Float32Array {
  const drawn = uniform(count * side * side * channels, key);
  return drawn.map((u, i) => 2 * u + 1.5 * drawn[i % channels === 0 ? i + channels - 1 : i - 1]!);
}

const featuresOf = (count: number, key: number): Tensor =>
  fromArray(device, [count, side, side, channels], cellsOf(count, key));

const GOOD = cellsOf(images, GOOD_KEY);
const source: FeatureSource = {
  count: images,
  batch: (indices) => {
    const each = side * side * channels;
    const chosen = Float32Array.from(indices.flatMap((i) => [...GOOD.subarray(i * each, (i + 1) * each)]));
    return Promise.resolve(fromArray(device, [indices.length, side, side, channels], chosen));
  },
};

const settingsOf = (given: DfrOptions) => resolveOptions("dfr", DFR_OPTIONS, given);

function begun(given: DfrOptions, weights = Weights.drawn(device)): Fit {
  const options = settingsOf(given);
  const input: FitInput = { weights, features: source, anomalies: null, std: zeros(device, [channels]), seed: 4 };
  return dfr.begin(dfr.configure(spec, options), options, input);
}

async function finished(fit: Fit): Promise<Fit> {
  for await (const _step of fit.steps());
  return fit;
}

async function expectScores({ model }: Pick<Fit, "model">, want: readonly number[]): Promise<void> {
  const got = await toArray(model.score(featuresOf(batch, SEEN_KEY)).map);
  expect(got.length).toBe(want.length);
  want.forEach((value, i) =>
    expect(Math.abs(got[i]! - value) <= BOUND * value, `${i}: ${got[i]}, expected ${value}`).toBe(true),
  );
}

/** The made-up value of element `i` of a tensor of that name. */
function valueOf(name: string, shape: Shape, u: number, i: number): number {
  const isFirstRow = i < countOf(shape) / 2;
  if (name.endsWith(".affine")) return isFirstRow ? 1 + 0.5 * u : 0.2 * u;
  if (name.endsWith(".running")) return isFirstRow ? 0.1 * u : 1 + 0.5 * u;
  return name.endsWith(".bias") ? 0.2 * u : u * Math.sqrt(3 / shape[0]!);
}

function madeUpModel(): DfrModel {
  const model = new DfrModel(Weights.drawn(device), {
    height: side,
    width: side,
    channels,
    reconstruction: "autoencoder",
    latent,
  });
  const named = [...model.weights.all()].sort(([a], [b]) => (a < b ? -1 : 1));
  named.forEach(([name, { allocation, shape }], i) =>
    device.write(
      allocation.buffer,
      uniform(countOf(shape), WEIGHT_KEY + i).map((u, at) => valueOf(name, shape, u, at)),
    ),
  );
  return model;
}

describe("DFR's autoencoder is PyTorch's", () => {
  const { reconstruction, losses, gradients, after, score } = golden.autoencoder;

  test("in its reconstruction", async () => {
    const made = madeUpModel().reconstruct(featuresOf(batch, FEATURE_KEY), "training")!;
    expect(await difference(made, reconstruction)).toBeLessThan(BOUND);
  });

  test("in losses, gradients, ten steps of Adam, and scores", async () => {
    const model = madeUpModel();
    const optimizer = autoencoderOptimizer(model, LEARNING_RATE);
    const names = [...model.weights.parameters.keys()];
    expect([...names].sort()).toEqual(Object.keys(gradients));
    for (const [step, want] of losses.entries()) {
      const features = featuresOf(batch, FEATURE_KEY + step);
      const { results, grads } = valueAndGradients(
        () => [mseLoss(model.reconstruct(features, "training")!, features)],
        optimizer.parameters,
      );
      expect(Math.abs((await toArray(results[0]))[0]! / want - 1), `loss of step ${step}`).toBeLessThan(BOUND);
      for (const [i, name] of step === 0 ? names.entries() : []) {
        const its = gradients[name as keyof typeof gradients];
        expect(await difference(grads[i]!, its), `gradient of ${name}`).toBeLessThan(BOUND);
      }
      optimizer.step(grads);
      [...results, ...grads, features].forEach((tensor) => tensor && release(tensor));
    }
    for (const [name, tensor] of model.weights.all())
      expect(await difference(tensor, after[name as keyof typeof after]), `${name} after 10 steps`).toBeLessThan(BOUND);
    expect(model.weights.all().size).toBe(Object.keys(after).length);
    await expectScores({ model }, score);
    model.weights.freeze(); // norms are folded
    await expectScores({ model }, score);
    optimizer.release();
    model.weights.release();
  });
});

describe("DFR's linear form", () => {
  test("has PyTorch's components and scores", async () => {
    const fit = await finished(begun({ reconstruction: "linear", batch: 3 }));
    expect(fit.model.config).toMatchObject({ reconstruction: "linear", latent: golden.linear.latent });
    await expectScores(fit, golden.linear.score);
    fit.model.weights.freeze();
    await expectScores(fit, golden.linear.score);
  });

  test("with as many components as channels scores nothing; before it has any, the features themselves", async () => {
    const fit = begun({ reconstruction: "linear", latent: channels, batch: 1 });
    const seen = cellsOf(batch, SEEN_KEY);
    const squares = Array.from({ length: seen.length / channels }, (_, cell) => {
      const values = seen.subarray(cell * channels, (cell + 1) * channels);
      return values.reduce((sum, x) => sum + x * x, 0) / channels;
    });
    await expectScores(fit, squares);
    await finished(fit);
    const scores = await toArray(fit.model.score(featuresOf(batch, SEEN_KEY)).map);
    expect(Math.max(...scores)).toBeLessThan(1e-10);
  });
});

test("the number of components is the fewest that hold the share of the variance, and the most where nothing varies", () => {
  const variances = Float64Array.of(5, 3, 1, 1);
  expect([0.4, 0.5, 0.51, 0.8, 0.81, 0.9, 1].map((share) => componentsFor(share, variances))).toEqual([
    1, 1, 2, 2, 3, 3, 4,
  ]);
  expect(componentsFor(0.9, new Float64Array(10))).toBe(9);
  expect(componentsFor(0.9, new Float64Array(1))).toBe(1);
});

test("images for the components are spread over the training set", () => {
  expect(spreadOver(20, 5)).toEqual([0, 4, 8, 12, 16]);
  expect(spreadOver(3, 10)).toEqual([0, 1, 2]);
  expect(spreadOver(7, 3)).toEqual([0, 2, 4]);
});

test("stages are those that the options need", () => {
  const stagesOf = (given: DfrOptions) => {
    const options = settingsOf({ batch: 2, epochs: 1, leastSteps: 7, ...given });
    return dfr.plan(dfr.configure(spec, options), options, images).map(({ stage, steps }) => [stage, steps]);
  };
  expect(stagesOf({})).toEqual([
    ["components", 2],
    ["autoencoder", 8],
  ]);
  expect(stagesOf({ componentImages: 1 })[0]).toEqual(["components", 1]);
  expect(stagesOf({ latent: 3 })).toEqual([["autoencoder", 8]]);
  expect(stagesOf({ reconstruction: "linear" })).toEqual([["components", 2]]);
  expect(stagesOf({ reconstruction: "linear", latent: 3, componentImages: 1 })).toEqual([["components", 2]]);
  expect(dfr.configure(spec, settingsOf({ variance: 0.9 }))).toMatchObject({ latent: 12 }); // 0.9 * 13 at most
  expect(dfr.configure(spec, settingsOf({ latent: 3 }))).toMatchObject({ latent: 3 });
  expect(() => dfr.configure(spec, settingsOf({ latent: 14 }))).toThrow(
    "dfr: expected latent of at most the 13 channels of the features, got 14",
  );
  expect(() => dfr.configure(spec, settingsOf({ latent: 14 }))).toThrow(OptionError);
});

test("cells are the finest stage's, or a number", () => {
  const backbone = { stages: [{ name: "fine", stride: 8, channels: 4 }], standardise: false };
  expect(dfr.assembly(settingsOf({}), backbone)).toMatchObject({ cells: "finest", alignCorners: true });
  expect(dfr.assembly(settingsOf({ cells: 56 }), backbone)).toMatchObject({ cells: 56 });
});

const SHORT: DfrOptions = { batch: 3, epochs: 1, leastSteps: 12, componentImages: 4 };

test("a training reconstructs better, step by step, and ends with fewer channels", async () => {
  const fit = begun({ ...SHORT, leastSteps: 300, learningRate: 0.01 });
  const losses: number[] = [];
  for await (const { loss } of fit.steps()) if (loss !== null) losses.push(loss);
  expect(losses.at(-1)!).toBeLessThan(0.6 * losses[0]!);
  expect((fit.model.config as { latent: number }).latent).toBeLessThan(channels);
  fit.release();
});

test("a fit goes on from a state before, between and after its stages, to the same bits", async () => {
  const bitsOf = async ({ model: { weights } }: Fit) =>
    Promise.all(
      [...weights.all()].map(async ([name, tensor]) => [name, new Uint32Array((await toArray(tensor)).buffer)]),
    );
  const whole = begun(SHORT);
  const stages: string[] = [];
  for await (const { stage } of whole.steps()) stages.push(stage);
  const expected = await bitsOf(whole);
  expect(stages.filter((stage) => stage === "components")).toHaveLength(2);
  for (const pause of [0, 1, 2, 3, 9, stages.length]) {
    const first = begun(SHORT);
    let taken = 0;
    if (pause > 0) for await (const _step of first.steps()) if (++taken === pause) break;
    const state = await first.state();
    const stored = new Map<string, { readonly shape: Shape; readonly data: Float32Array }>();
    for (const [name, tensor] of first.model.weights.all())
      stored.set(name, { shape: tensor.shape, data: await toArray(tensor) });
    const second = begun(SHORT, Weights.stored(device, stored, "saved"));
    second.restore(state);
    expect(await second.state()).toEqual(state);
    expect(second.remaining).toEqual(first.remaining);
    await finished(second);
    expect(await bitsOf(second), `after ${pause} steps`).toEqual(expected);
    for (const fit of [first, second]) {
      fit.release();
      fit.model.weights.release();
    }
  }
});

test("a state that no fit has is refused", async () => {
  const fit = begun(SHORT);
  const { json, tensors } = await fit.state();
  const changed = (changes: object) => () => fit.restore({ json: { ...(json as object), ...changes }, tensors });
  const done = { part: 0, state: { position: null } };
  const training = { part: 1, state: { position: { stage: "autoencoder", step: 1 }, optimizerSteps: null } };
  for (const [changes, text] of [
    [{ latent: "few" }, "dfr: expected 0 to 13 latent channels in the state of the fit, got {"],
    [{ latent: 14 }, "dfr: expected 0 to 13 latent channels"],
    [{ parts: undefined }, "latent channels in the state of the fit"],
    [{ parts: done }, "dfr: expected 1 to 13 latent channels"],
    [{ parts: training }, "dfr: expected 1 to 13 latent channels"],
    [{ parts: { part: 2, state: {} }, latent: 2 }, "the state of the fit is of none of its 2 parts"],
  ] as const) {
    expect(changed(changes)).toThrow(ShapeError);
    expect(changed(changes)).toThrow(text);
  }
  const known = begun({ ...SHORT, latent: 5 });
  expect(() => known.restore({ json: { ...(json as object), latent: 4 }, tensors })).toThrow(
    "dfr: expected 5 to 5 latent channels in the state of the fit",
  );
  [fit, known].forEach((one) => one.release());
});

test.each<DfrOptions>([{ reconstruction: "linear" }, { reconstruction: "autoencoder", epochs: 1, leastSteps: 20 }])(
  "onnxruntime gives the same scores: %j",
  async (options) => {
    async function* pictures() {
      for (const key of [1, 2, 3, 4]) yield { className: "plate", image: madeUpPicture(64, key) };
    }
    const detector = await trainDetector(device, pictures(), { method: "dfr", inputSize: 64, ...options });
    expect((detector.config.method.config as { latent: number }).latent).toBeGreaterThan(0);
    await expectSameScores(
      detector,
      [5, 6].map((key) => madeUpPicture(64, key)),
    );
    detector.release();
  },
);
