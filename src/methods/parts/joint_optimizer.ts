import type { Optimizer, OptimizerState } from "../../optim/optimizer.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { StageOptimizer } from "./captured_steps.ts";

/** Several optimisers that step together, each with its own rule. Their states are joined in their order. */
export class JointOptimizer implements StageOptimizer {
  readonly #optimizers: readonly Optimizer[];

  /** @param optimizers with as many moments for each parameter */
  constructor(...optimizers: readonly Optimizer[]) {
    this.#optimizers = optimizers;
  }

  get parameters(): readonly Tensor[] {
    return this.#optimizers.flatMap(({ parameters }) => parameters);
  }

  advance(learningRateScale?: number): void {
    for (const optimizer of this.#optimizers) optimizer.advance(learningRateScale);
  }

  apply(grads: readonly (Tensor | null)[]): () => void {
    const repeated = this.#split(grads).map(([optimizer, own]) => optimizer.apply(own));
    return () => repeated.forEach((call) => call());
  }

  async state(): Promise<OptimizerState> {
    const states: OptimizerState[] = [];
    for (const optimizer of this.#optimizers) states.push(await optimizer.state());
    return { steps: states.flatMap(({ steps }) => steps), moments: states.flatMap(({ moments }) => moments) };
  }

  restore({ steps, moments }: OptimizerState): void {
    const kinds = Math.round(moments.length / Math.max(steps.length, 1));
    const ofEach = this.#split(moments, kinds);
    this.#split(steps).forEach(([optimizer, own], i) => optimizer.restore({ steps: own, moments: ofEach[i]![1] }));
  }

  release(): void {
    for (const optimizer of this.#optimizers) optimizer.release();
  }

  /** Splits what there are so many of for each parameter among the optimisers. */
  #split<T>(values: readonly T[], ofEach = 1): (readonly [Optimizer, readonly T[]])[] {
    let first = 0;
    return this.#optimizers.map((optimizer, i) => {
      const isLast = i === this.#optimizers.length - 1; // which gets what is too many, and refuses it
      const end = isLast ? values.length : first + ofEach * optimizer.parameters.length;
      const own = values.slice(first, end);
      first = end;
      return [optimizer, own] as const;
    });
  }
}
