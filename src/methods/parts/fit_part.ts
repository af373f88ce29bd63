import { isWhole } from "../../io/json.ts";
import { ShapeError } from "../../runtime/errors.ts";
import type { Fit, FitState, FitStep, StagePlan } from "../method.ts";
import { fieldsOf } from "./fields.ts";

/** A part of a fit: what a fit is, without the model. */
export type FitPart = Omit<Fit, "model">;

/** Parts of a fit, one after another. The state is that of the part which is under way; those before it are done. */
export class FitParts implements FitPart {
  readonly #parts: readonly FitPart[];
  #nth = 0;

  constructor(...parts: readonly FitPart[]) {
    this.#parts = parts;
  }

  get remaining(): readonly StagePlan[] {
    return this.#parts.slice(this.#nth).flatMap(({ remaining }) => remaining);
  }

  async *steps(): AsyncGenerator<FitStep, void> {
    for (;;) {
      yield* this.#parts[this.#nth]!.steps();
      if (this.#nth === this.#parts.length - 1) return;
      this.#nth++;
    }
  }

  async state(): Promise<FitState> {
    const { json, tensors } = await this.#parts[this.#nth]!.state();
    return { json: { part: this.#nth, state: json }, tensors };
  }

  restore({ json, tensors }: FitState): void {
    const { part, state } = fieldsOf(json);
    if (!isWhole(part) || part >= this.#parts.length || state === undefined) {
      throw new ShapeError(
        `the state of the fit is of none of its ${this.#parts.length} parts: ${JSON.stringify(part)}`,
      );
    }
    this.#parts[part]!.restore({ json: state, tensors });
    this.#nth = part;
  }

  release(): void {
    for (const part of this.#parts) part.release();
  }
}
