import { ShapeError } from "../../runtime/errors.ts";
import type { FitState, FitStep, StagePlan } from "../method.ts";
import { fieldsOf } from "./fields.ts";
import type { FitPart } from "./fit_part.ts";
import { readPosition, stepsLeft, type StagePosition } from "./stages.ts";

/** A stage of a fit without gradients. */
export interface DirectStage extends StagePlan {
  /** For people. */
  readonly title: string;
  /** Takes a step, counted from 0. A fit that was resumed has not taken those before it: what they read is read anew. */
  readonly take: (step: number) => Promise<void>;
}

/** A fit in closed form, stage by stage. Its state is its position alone. */
export class StagedFit implements FitPart {
  readonly #owner: string;
  readonly #stages: readonly DirectStage[];
  readonly #forget: () => void;
  #position: StagePosition;

  /**
   * @param owner name of the method, for errors
   * @param forget gives back what the steps have gathered
   */
  constructor(owner: string, stages: readonly DirectStage[], forget: () => void) {
    [this.#owner, this.#stages, this.#forget] = [owner, stages, forget];
    this.#position = { stage: stages[0]!.stage, step: 0 };
  }

  get remaining(): readonly StagePlan[] {
    return stepsLeft(this.#stages, this.#position);
  }

  async *steps(): AsyncGenerator<FitStep, void> {
    while (this.#position) {
      const { stage: name, step } = this.#position;
      const nth = this.#stages.findIndex(({ stage }) => stage === name);
      const { title, steps, take } = this.#stages[nth]!;
      await take(step);
      const [done, next] = [step + 1, this.#stages[nth + 1]];
      if (done < steps) this.#position = { stage: name, step: done };
      else this.#position = next ? { stage: next.stage, step: 0 } : null;
      if (!this.#position) this.release();
      yield { stage: name, title, step: done, steps, epoch: 0, loss: null };
    }
  }

  state(): Promise<FitState> {
    return Promise.resolve({ json: { position: this.#position }, tensors: new Map() });
  }

  restore({ json }: FitState): void {
    const position = readPosition(fieldsOf(json)["position"], this.#stages);
    if (position === undefined) {
      const got = JSON.stringify(json).slice(0, 80);
      throw new ShapeError(`${this.#owner}: expected a position within the plan in the state of the fit, got ${got}`);
    }
    this.release();
    this.#position = position;
  }

  release(): void {
    this.#forget();
  }
}
