import { expect } from "vitest";
import type { Weights } from "../../src/nn/weights.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import { release, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { difference, type Summary } from "./summaries.ts";

/** Largest relative difference to PyTorch. */
export const BOUND = 1e-4;

/** The steps of a training by another program. */
export interface TrainingSummary {
  /** Loss of each step. */
  readonly losses: readonly number[];
  /**
   * Gradients of the first step, by the parameters' names: a summary, or the norm alone; null where the loss does not
   * depend on it.
   */
  readonly gradients: Readonly<Record<string, Summary | number | null>>;
  /** All tensors after the last step. */
  readonly after?: Readonly<Record<string, Summary>>;
}

/** The results of a step, the loss first, and tensors that it uses, which are released after it. */
export interface GoldenStep {
  readonly results: () => readonly [loss: Tensor, ...rest: Tensor[]];
  readonly used: readonly (Tensor | null | undefined)[];
}

/**
 * Takes steps and holds them against those of another program.
 * @param stepOf makes the step of a number
 * @param nameOf the name that a tensor has there
 */
export async function expectTraining(
  weights: Weights,
  optimizer: Pick<Optimizer, "parameters" | "advance" | "apply">,
  { losses, gradients, after }: TrainingSummary,
  stepOf: (step: number) => GoldenStep,
  nameOf = (name: string): string => name,
): Promise<void> {
  const names = new Map([...weights.parameters].map(([name, parameter]) => [parameter, nameOf(name)]));
  expect(new Set(optimizer.parameters.map((parameter) => names.get(parameter)))).toEqual(
    new Set(Object.keys(gradients)),
  );
  for (const [step, loss] of losses.entries()) {
    const { results: make, used } = stepOf(step);
    const { results, grads } = valueAndGradients(make, optimizer.parameters);
    expect(Math.abs((await toArray(results[0]))[0]! / loss - 1), `loss of step ${step}`).toBeLessThan(BOUND);
    for (const [i, parameter] of step === 0 ? optimizer.parameters.entries() : []) {
      const name = names.get(parameter)!;
      const [gradient, its] = [grads[i], gradients[name]];
      if (its === null || its === undefined) expect(gradient, name).toBeNull();
      else if (typeof its === "object")
        expect(await difference(gradient!, its), `gradient of ${name}`).toBeLessThan(BOUND);
      else
        expect(Math.abs(Math.hypot(...(await toArray(gradient!))) - its), `gradient of ${name}`).toBeLessThan(
          BOUND * Math.max(its, 1e-6),
        );
    }
    optimizer.advance();
    optimizer.apply(grads);
    [...results, ...grads, ...used].forEach((tensor) => tensor && release(tensor));
  }
  if (!after) return;
  const all = new Map([...weights.all()].map(([name, tensor]) => [nameOf(name), tensor]));
  for (const [name, its] of Object.entries(after)) {
    expect(all.has(name), name).toBe(true);
    expect(await difference(all.get(name)!, its), `${name} after ${losses.length} steps`).toBeLessThan(BOUND);
  }
}
