import type { AdamW } from "../../optim/adam.ts";
import type { Draw } from "../../ops/random.ts";
import { CapturedWork } from "../../tensor/captured.ts";
import { empty, release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type { MarkedFeatures } from "../method.ts";
import { trainStep, type FitOptions, type Stage } from "./stages.ts";
import type { Grad } from "./model.ts";

interface Step {
  readonly results: readonly Tensor[];
  readonly repeated: () => void;
}

/**
 * The steps of a stage. The first of each kind, of a batch's shape and with noise or without, is captured while it
 * runs; the others are runs of that program, which allocate and decide nothing. All kinds share their memory.
 */
export class StageSteps {
  readonly #stage: Stage;
  readonly #model: Grad;
  readonly #optimizer: AdamW;
  readonly #options: FitOptions;
  readonly #streams: number;
  readonly #captured: CapturedWork<Step>;
  /** `[1]`, u32: the number of the step, which programs read. */
  readonly #step: Tensor;

  /** @param streams added to the numbers of the stage's random streams */
  constructor(stage: Stage, model: Grad, optimizer: AdamW, options: FitOptions, streams: number) {
    this.#stage = stage;
    this.#model = model;
    this.#optimizer = optimizer;
    this.#options = options;
    this.#streams = streams;
    this.#captured = new CapturedWork(model.weights.device);
    this.#step = empty(model.weights.device, [1], "u32");
  }

  /** Compiles in parallel what a step of that kind takes, unless one was taken before. */
  async prepare(features: Tensor, anomalous: MarkedFeatures | null, noisy: boolean): Promise<void> {
    const inputs = tensorsOf(features, anomalous);
    await this.#captured.prepare(keyOf(inputs, noisy), inputs, (inputs) => this.#takeOn(inputs, noisy));
  }

  /**
   * Takes a step. The batch may be released afterwards.
   * @returns the loss, and outside the second stage the hit rates, where they stay until the next step
   */
  take(
    features: Tensor,
    anomalous: MarkedFeatures | null,
    noisy: boolean,
    step: number,
    learningRateScale: number,
  ): readonly Tensor[] {
    this.#optimizer.advance(learningRateScale);
    features.device.write(this.#step.allocation.buffer, Uint32Array.of(step));
    const inputs = tensorsOf(features, anomalous);
    const key = keyOf(inputs, noisy);
    const isRepeated = this.#captured.knows(key);
    const { results, repeated } = this.#captured.run(key, inputs, (inputs) => this.#takeOn(inputs, noisy));
    if (isRepeated) repeated();
    return results;
  }

  #takeOn([features, marked, mask]: readonly Tensor[], noisy: boolean): Step {
    const anomalous = marked && mask ? { features: marked, mask } : null;
    const drawOf = (use: number): Draw => ({
      seed: this.#options.seed,
      stream: use + this.#streams,
      step: this.#step,
    });
    return trainStep(this.#stage, this.#model, this.#optimizer, features!, anomalous, noisy, drawOf, this.#options);
  }

  /** Captures every kind of step anew: kernels may have other forms now. The last results are gone. */
  recapture(): void {
    this.#captured.release();
  }

  /** Gives its storage back, the last results too. */
  release(): void {
    this.#captured.release();
    release(this.#step);
  }
}

const keyOf = (inputs: readonly Tensor[], noisy: boolean): string =>
  `${inputs.map(({ shape }) => shape.join()).join(" ")} ${noisy}`;

const tensorsOf = (features: Tensor, anomalous: MarkedFeatures | null): Tensor[] => [
  features,
  ...(anomalous ? [anomalous.features, anomalous.mask] : []),
];

/** Reads a step's results where wanted, before the next step overwrites them. */
export async function readResults(
  results: readonly Tensor[],
  wanted: boolean,
): Promise<readonly [loss: number | null, hits: Float32Array | null]> {
  if (!wanted) {
    results[0]!.device.submit();
    return [null, null];
  }
  const [loss, hits] = await Promise.all(results.map((result) => toArray(result))); // which submits
  return [loss![0]!, hits ?? null];
}
