// Bounds of training steps at the paper's size and of inferences on named cards; writes bench/results/bounds.json and
// prints the table of docs/performance.md. These are bounds, not measurements: nothing is run, and any adapter will do.
import { writeFileSync } from "node:fs";
import { openDevice } from "../../src/node/device.ts";
import { DECODERS } from "../../src/methods/parts/decoders.ts";
import {
  boundOf,
  DISPATCH,
  idleGpuOf,
  needsOf,
  PEAKS,
  tableOf,
  traceInference,
  traceStep,
  type BoundRow,
} from "./bounds.ts";
import { nameOfInference, nameOfStep, type InferenceRow, type StepRow } from "./grad_rows.ts";

const STEP = { channels: 272, stage: "normal", batch: 16, recompute: false, warmUps: 6 } as const;
const steps: readonly StepRow[] = [
  ...DECODERS.map((decoder) => ({ ...STEP, decoder })),
  { ...STEP, decoder: "mobile", batch: 1 },
];
const inferences: readonly InferenceRow[] = (
  [
    ["embedded", "tiny"],
    ["efficientnet-b4", "mobile"],
    ["efficientnet-b6", "mobile"],
  ] as const
).flatMap(([backbone, decoder]) => [1, 16].map((batch) => ({ backbone, decoder, half: false, batch })));

const idle = idleGpuOf(await openDevice());
const rows: BoundRow[] = [];
for (const [name, tracing] of [
  ...steps.map((row) => [nameOfStep(row), () => traceStep(idle, row)] as const),
  ...inferences.map((row) => [nameOfInference(row), () => traceInference(idle, row)] as const),
]) {
  const { dispatched, times } = await tracing();
  const bounds = PEAKS.map((peak) => ({ card: peak.name, ...boundOf(dispatched, times, peak) }));
  rows.push({ name, ...needsOf(dispatched, times), bounds });
}

console.log(tableOf(rows).join("\n"));
writeFileSync(
  "bench/results/bounds.json",
  `${JSON.stringify({ microsecondsOfADispatch: DISPATCH, cards: PEAKS, rows }, null, 1)}\n`,
);
process.exit();
