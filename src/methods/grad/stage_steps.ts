import type { AdamW } from "../../optim/adam.ts";
import type { Draw } from "../../ops/random.ts";
import type { Program } from "../../runtime/program.ts";
import { bytesOf, empty, release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type { MarkedFeatures } from "../method.ts";
import { trainStep, type FitOptions, type Stage } from "./fit.ts";
import type { Grad } from "./model.ts";

/** A batch, where every step of its shape finds its own. */
interface Inputs {
  readonly features: Tensor;
  readonly anomalous: MarkedFeatures | null;
}

interface Captured {
  readonly program: Program;
  readonly results: readonly Tensor[];
  readonly repeated: () => void;
}

/**
 * The steps of a stage. The first of each kind, of a batch's shape and with noise or without, is captured while it runs; the others are
 * runs of that program, which allocate and decide nothing. All kinds share their memory.
 */
export class StageSteps {
  readonly #stage: Stage;
  readonly #model: Grad;
  readonly #optimizer: AdamW;
  readonly #options: FitOptions;
  readonly #streams: number;
  readonly #inputs = new Map<string, Inputs>();
  readonly #captured = new Map<string, Captured>();
  #step: Tensor | null = null;

  /** @param streams added to the numbers of the stage's random streams */
  constructor(stage: Stage, model: Grad, optimizer: AdamW, options: FitOptions, streams: number) {
    this.#stage = stage;
    this.#model = model;
    this.#optimizer = optimizer;
    this.#options = options;
    this.#streams = streams;
  }

  /** Compiles in parallel what a step of that kind takes, unless one was taken before. */
  async prepare(features: Tensor, anomalous: MarkedFeatures | null, noisy: boolean, step: number): Promise<void> {
    if (this.#captured.has(keyOf(shapeOf(features, anomalous), noisy))) return;
    const drawOf = this.#drawOf(step);
    await features.device.prepare(() => trainStep(this.#stage, this.#model, this.#optimizer, features, anomalous, noisy, drawOf, this.#options));
  }

  /**
   * Takes a step. The batch may be released afterwards.
   * @returns the loss, and outside the second stage the hit rates, where they stay until the next step
   */
  take(features: Tensor, anomalous: MarkedFeatures | null, noisy: boolean, step: number, rateScale: number): readonly Tensor[] {
    const { device } = features;
    this.#optimizer.advance(rateScale);
    const drawn = (this.#step ??= empty(device, [1], "u32"));
    device.write(drawn.allocation.buffer, Uint32Array.of(step));
    const shape = shapeOf(features, anomalous);
    const inputs = this.#loaded(shape, features, anomalous);
    const key = keyOf(shape, noisy);
    const captured = this.#captured.get(key);
    if (captured) {
      captured.program.run();
      captured.repeated();
      return captured.results;
    }
    const [beside] = this.#captured.values();
    const { program, result } = device.capture(
      () => trainStep(this.#stage, this.#model, this.#optimizer, inputs.features, inputs.anomalous, noisy, this.#drawOf(drawn), this.#options),
      { beside: beside?.program ?? null, lean: true },
    );
    this.#captured.set(key, { program, ...result });
    return result.results;
  }

  /** Captures every kind of step anew: kernels may have other forms now. The last results are gone. */
  recapture(): void {
    for (const { program } of this.#captured.values()) program.release();
    this.#captured.clear();
  }

  /** Gives its storage back, the last results too. */
  release(): void {
    this.recapture();
    for (const { features, anomalous } of this.#inputs.values()) tensorsOf(features, anomalous).forEach(release);
    if (this.#step) release(this.#step);
    this.#inputs.clear();
    this.#step = null;
  }

  #drawOf(step: Draw["step"]): (use: number) => Draw {
    return (use) => ({ seed: this.#options.seed, stream: use + this.#streams, step });
  }

  /** The inputs of that shape, with this batch in them. */
  #loaded(shape: string, features: Tensor, anomalous: MarkedFeatures | null): Inputs {
    const like = (tensor: Tensor): Tensor => empty(tensor.device, tensor.shape, tensor.dtype);
    let inputs = this.#inputs.get(shape);
    if (!inputs) {
      inputs = { features: like(features), anomalous: anomalous && { features: like(anomalous.features), mask: like(anomalous.mask) } };
      this.#inputs.set(shape, inputs);
    }
    const to = tensorsOf(inputs.features, inputs.anomalous);
    tensorsOf(features, anomalous).forEach((from, i) => {
      const { device, allocation: { buffer } } = from;
      if (bytesOf(from) > 0) device.copy(buffer, 0, to[i]!.allocation.buffer, 0, bytesOf(from));
    });
    return inputs;
  }
}

const shapeOf = (features: Tensor, anomalous: MarkedFeatures | null): string =>
  [features, ...(anomalous ? [anomalous.features] : [])].map(({ shape }) => shape.join()).join(" ");

const keyOf = (shape: string, noisy: boolean): string => `${shape} ${noisy}`;

const tensorsOf = (features: Tensor, anomalous: MarkedFeatures | null): Tensor[] => [features, ...(anomalous ? [anomalous.features, anomalous.mask] : [])];

/** Reads a step's results where wanted, before the next step overwrites them. */
export async function readResults(results: readonly Tensor[], wanted: boolean): Promise<readonly [loss: number | null, hits: Float32Array | null]> {
  if (!wanted) {
    results[0]!.device.submit();
    return [null, null];
  }
  const [loss, hits] = await Promise.all(results.map((result) => toArray(result))); // which submits
  return [loss![0]!, hits ?? null];
}
