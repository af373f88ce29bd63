import type { Json, StagePlan } from "../method.ts";
import { fieldsOf } from "./fields.ts";

/** The position of a fit between two steps: before this step of this stage. Null after the last. */
export type StagePosition<Stage extends string = string> = { readonly stage: Stage; readonly step: number } | null;

/** Steps still to be taken from a position on, by stage. */
export function stepsLeft(plan: readonly StagePlan[], position: StagePosition): StagePlan[] {
  if (!position) return [];
  const first = plan.findIndex(({ stage }) => stage === position.stage);
  return plan.slice(first).map(({ stage, steps }, i) => ({ stage, steps: i === 0 ? steps - position.step : steps }));
}

/**
 * Reads a position from the state of a fit, which may hold anything.
 * @param plan the stages that there are; steps lie below theirs
 * @returns undefined if it is none
 */
export function readPosition<Stage extends string>(
  json: Json | undefined,
  plan: readonly (StagePlan & { readonly stage: Stage })[],
): StagePosition<Stage> | undefined {
  if (json === null) return null;
  const { stage: name, step } = fieldsOf(json);
  const planned = plan.find(({ stage }) => stage === name);
  const isWithin = typeof step === "number" && Number.isSafeInteger(step) && step >= 0;
  return planned && isWithin && step < planned.steps ? { stage: planned.stage, step } : undefined;
}
