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
  #step: Tensor | null = null;

  /** @param streams added to the numbers of the stage's random streams */
  constructor(stage: Stage, model: Grad, optimizer: AdamW, options: FitOptions, streams: number) {
    this.#stage = stage;
    this.#model = model;
    this.#optimizer = optimizer;
    this.#options = options;
    this.#streams = streams;
    this.#captured = new CapturedWork(model.weights.device);
  }

  /** Compiles in parallel what a step of that kind takes, unless one was taken before. */
  async prepare(features: Tensor, anomalous: MarkedFeatures | null, noisy: boolean, step: number): Promise<void> {
    if (this.#captured.knows(keyOf(features, anomalous, noisy))) return;
    const drawOf = this.#drawOf(step);
    await features.device.prepare(() =>
      trainStep(this.#stage, this.#model, this.#optimizer, features, anomalous, noisy, drawOf, this.#options),
    );
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
    const { device } = features;
    this.#optimizer.advance(learningRateScale);
    const drawn = (this.#step ??= empty(device, [1], "u32"));
    device.write(drawn.allocation.buffer, Uint32Array.of(step));
    const key = keyOf(features, anomalous, noisy);
    const isRepeated = this.#captured.knows(key);
    const { results, repeated } = this.#captured.run(key, tensorsOf(features, anomalous), ([features, ...rest]) => {
      const marked = anomalous && { features: rest[0]!, mask: rest[1]! };
      return trainStep(
        this.#stage,
        this.#model,
        this.#optimizer,
        features!,
        marked,
        noisy,
        this.#drawOf(drawn),
        this.#options,
      );
    });
    if (isRepeated) repeated();
    return results;
  }

  /** Captures every kind of step anew: kernels may have other forms now. The last results are gone. */
  recapture(): void {
    this.#captured.release();
  }

  /** Gives its storage back, the last results too. */
  release(): void {
    this.#captured.release();
    if (this.#step) release(this.#step);
    this.#step = null;
  }

  #drawOf(step: Draw["step"]): (use: number) => Draw {
    return (use) => ({ seed: this.#options.seed, stream: use + this.#streams, step });
  }
}

const keyOf = (features: Tensor, anomalous: MarkedFeatures | null, noisy: boolean): string =>
  `${tensorsOf(features, anomalous)
    .map(({ shape }) => shape.join())
    .join(" ")} ${noisy}`;

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
