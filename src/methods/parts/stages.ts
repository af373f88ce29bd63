import type { StagePlan } from "../method.ts";

/** The position of a fit between two steps: before this step of this stage. Null after the last. */
export type StagePosition<Stage extends string = string> = { readonly stage: Stage; readonly step: number } | null;

/** Steps still to be taken from a position on, by stage. */
export function stepsLeft(plan: readonly StagePlan[], position: StagePosition): Pick<StagePlan, "stage" | "steps">[] {
  if (!position) return [];
  const first = plan.findIndex(({ stage }) => stage === position.stage);
  return plan.slice(first).map(({ stage, steps }, i) => ({ stage, steps: i === 0 ? steps - position.step : steps }));
}
