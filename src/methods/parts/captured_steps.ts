import { multiply, scalar } from "../../ops/elementwise.ts";
import { valueAndGradients } from "../../ops/gradients.ts";
import type { Draw } from "../../ops/random.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import type { Device } from "../../runtime/device.ts";
import { CapturedWork } from "../../tensor/captured.ts";
import { empty, release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type { MarkedFeatures } from "../method.ts";

/** The optimiser of a stage, or several that step together. */
export type StageOptimizer = Pick<Optimizer, "parameters" | "advance" | "apply" | "state" | "restore" | "release">;

/** Inputs of a step's work. */
export interface StepInputs {
  /** `[N, H, W, C]`, of good images. */
  readonly features: Tensor;
  /** Real anomalies; null if there are none. */
  readonly marked: MarkedFeatures | null;
  /** Number of the step's kind, by which its work may differ. */
  readonly kind: number;
  readonly optimizer: StageOptimizer;
  /** The random numbers of a purpose, drawn anew in each step. */
  readonly drawOf: (use: number) => Draw;
}

/** Results of a step's work. */
export interface StepResults {
  /** The loss `[1]`, then what else decides when a stage ends. */
  readonly results: readonly Tensor[];
  /** To be called after each run of a program that captured the work. */
  readonly repeated: () => void;
}

/** The work of a step, after the optimiser's `advance`: it can be captured. */
export type StepWork = (inputs: StepInputs) => StepResults;

/**
 * Takes a step of an optimiser down the gradients of a loss.
 * @param begin draws what the loss needs, off the tape, and returns a function that makes the results, the loss first
 * @param lossScale multiplies the loss that is differentiated; the optimiser takes it out again (`gradientScale`)
 */
export function takeStep(
  optimizer: StageOptimizer,
  begin: () => () => readonly [loss: Tensor, ...rest: Tensor[]],
  lossScale = 1,
): StepResults {
  const [{ device }] = optimizer.parameters as [Tensor];
  using scope = device.scope();
  const compute = begin();
  let results: readonly Tensor[] = [];
  const { grads } = valueAndGradients(() => {
    const [loss, ...rest] = compute();
    results = [loss, ...rest];
    return lossScale === 1 ? [loss, ...rest] : [multiply(loss, scalar(device, lossScale)), ...results];
  }, optimizer.parameters);
  const repeated = optimizer.apply(grads);
  return { results: results.map((result) => scope.keep(result)), repeated };
}

/**
 * The steps of a stage. The first of each kind, and of each shape of a batch, is captured while it
 * runs; the others are runs of that program, which allocate and decide nothing. All kinds share their memory.
 */
export class CapturedSteps {
  readonly #work: StepWork;
  readonly #optimizer: StageOptimizer;
  readonly #random: Pick<Draw, "seed" | "stream">;
  readonly #captured: CapturedWork<StepResults>;
  /** `[1]`, u32: the number of the step, which programs read. */
  readonly #step: Tensor;

  /** @param random the seed, and what is added to the numbers of the work's random streams */
  constructor(device: Device, work: StepWork, optimizer: StageOptimizer, random: Pick<Draw, "seed" | "stream">) {
    [this.#work, this.#optimizer, this.#random] = [work, optimizer, random];
    this.#captured = new CapturedWork(device);
    this.#step = empty(device, [1], "u32");
  }

  /** Compiles in parallel what a step of that kind takes, unless one was taken before. */
  async prepare(features: Tensor, marked: MarkedFeatures | null, kind: number): Promise<void> {
    const inputs = tensorsOf(features, marked);
    await this.#captured.prepare(keyOf(inputs, kind), inputs, (inputs) => this.#takeOn(inputs, kind));
  }

  /**
   * Takes a step. The batch may be released afterwards.
   * @returns the work's results, where they stay until the next step
   */
  take(
    features: Tensor,
    marked: MarkedFeatures | null,
    kind: number,
    step: number,
    learningRateScale: number,
  ): readonly Tensor[] {
    this.#optimizer.advance(learningRateScale);
    features.device.write(this.#step.allocation.buffer, Uint32Array.of(step));
    const inputs = tensorsOf(features, marked);
    const key = keyOf(inputs, kind);
    const isRepeated = this.#captured.knows(key);
    const { results, repeated } = this.#captured.run(key, inputs, (inputs) => this.#takeOn(inputs, kind));
    if (isRepeated) repeated();
    return results;
  }

  #takeOn([features, anomalous, mask]: readonly Tensor[], kind: number): StepResults {
    const { seed, stream } = this.#random;
    return this.#work({
      features: features!,
      marked: anomalous && mask ? { features: anomalous, mask } : null,
      kind,
      optimizer: this.#optimizer,
      drawOf: (use) => ({ seed, stream: use + stream, step: this.#step }),
    });
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

const keyOf = (inputs: readonly Tensor[], kind: number): string =>
  `${inputs.map(({ shape }) => shape.join()).join(" ")} ${kind}`;

const tensorsOf = (features: Tensor, marked: MarkedFeatures | null): Tensor[] => [
  features,
  ...(marked ? [marked.features, marked.mask] : []),
];

/** Reads a step's results where wanted, before the next step overwrites them. */
export async function readResults(
  results: readonly Tensor[],
  wanted: boolean,
): Promise<readonly [loss: number | null, rest: Float32Array | null]> {
  if (!wanted) {
    results[0]!.device.submit();
    return [null, null];
  }
  const [loss, rest] = await Promise.all(results.map((result) => toArray(result))); // which submits
  return [loss![0]!, rest ?? null];
}
