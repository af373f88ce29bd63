import type { Optimizer } from "../../optim/optimizer.ts";
import { valueAndGradients } from "../../ops/gradients.ts";
import { CapturedWork } from "../../tensor/captured.ts";
import { empty, release, toArray, type Tensor } from "../../tensor/tensor.ts";

/** The results of a step of a training, on the device. */
export interface StepResult {
  /** The loss, `[1]`, then whatever else its stage measures. */
  readonly results: readonly Tensor[];
  /** To call after each run of a program that captured the step. */
  readonly repeated: () => void;
}

/** The inputs of a step, and the kind of work that is done on them. */
export interface StepInputs {
  readonly tensors: readonly Tensor[];
  /** Tells steps apart that do different work on inputs of equal shapes. */
  readonly kind: string;
}

/** Takes a step; the number of the step lies in a tensor, `[1]`, u32, as the step may be captured. */
export type TakeStep = (inputs: StepInputs, step: Tensor) => StepResult;

/** Computes the loss, and what else is measured, on the tape. */
type Loss = () => readonly [loss: Tensor, ...others: Tensor[]];

/**
 * A step after the optimiser's `advance`, as it can be captured: forward, backward, and the optimiser's `apply`.
 * Tensors that are made inside go, except the loss's results.
 */
export function gradientStep(optimizer: Optimizer, loss: Loss): StepResult {
  const [{ device }] = optimizer.parameters as readonly [Tensor];
  using scope = device.scope();
  const { results, grads } = valueAndGradients(loss, optimizer.parameters);
  const repeated = optimizer.apply(grads);
  for (const result of results) scope.keep(result);
  return { results, repeated };
}

/**
 * The steps of a stage. The first of each kind and of a batch's shape is captured while it runs; the others are runs of
 * that program, which allocate and decide nothing. All kinds share their memory.
 */
export class CapturedSteps {
  readonly #optimizer: Optimizer;
  readonly #take: TakeStep;
  readonly #captured: CapturedWork<StepResult>;
  /** `[1]`, u32: the number of the step, which programs read. */
  readonly #step: Tensor;

  constructor(optimizer: Optimizer, take: TakeStep) {
    const [{ device }] = optimizer.parameters as readonly [Tensor];
    [this.#optimizer, this.#take] = [optimizer, take];
    this.#captured = new CapturedWork(device);
    this.#step = empty(device, [1], "u32");
  }

  /** Compiles in parallel what a step of that kind takes, unless one was taken before. */
  async prepare(inputs: StepInputs): Promise<void> {
    await this.#captured.prepare(keyOf(inputs), inputs.tensors, this.#work(inputs));
  }

  /**
   * Takes a step. The inputs may be released afterwards.
   * @returns its results, where they stay until the next step
   */
  take(inputs: StepInputs, step: number, learningRateScale: number): readonly Tensor[] {
    this.#optimizer.advance(learningRateScale);
    this.#step.device.write(this.#step.allocation.buffer, Uint32Array.of(step));
    const key = keyOf(inputs);
    const isRepeated = this.#captured.knows(key);
    const { results, repeated } = this.#captured.run(key, inputs.tensors, this.#work(inputs));
    if (isRepeated) repeated();
    return results;
  }

  #work({ kind }: StepInputs): (tensors: readonly Tensor[]) => StepResult {
    return (tensors) => this.#take({ tensors, kind }, this.#step);
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

const keyOf = ({ tensors, kind }: StepInputs): string =>
  `${tensors.map(({ shape }) => shape.join()).join(" ")} ${kind}`;

/** Reads a step's results where wanted, before the next step overwrites them; null elsewhere. */
export async function readResults(
  results: readonly Tensor[],
  wanted: boolean,
): Promise<readonly Float32Array[] | null> {
  if (wanted) return Promise.all(results.map((result) => toArray(result))); // which submits
  results[0]!.device.submit();
  return null;
}
