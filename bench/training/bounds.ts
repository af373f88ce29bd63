// Bounds of whole training steps and inferences on named cards, from what their dispatches need: nothing is run.
import type { Device } from "../../src/runtime/device.ts";
import type { TracedDispatch, Work } from "../../src/runtime/profiler.ts";
import { Zeros } from "../../test/harness/made_up_detector.ts";
import { CARDS, teraflopsOf } from "../../src/cli/isa/cards.ts";
import { prepareInference, prepareStep, type InferenceRow, type Prepared, type StepRow } from "./grad_rows.ts";

/** A card's peak, as its maker states it. */
export interface Peak {
  readonly name: string;
  /** f32 multiplications and additions without units for matrices, in 10^12 per second. */
  readonly teraflops: number;
  /** Memory bandwidth, in GB/s. */
  readonly gigabytes: number;
}

const amd = (family: string): Peak => {
  const card = CARDS[family]!;
  return { name: card.name, teraflops: teraflopsOf(card), gigabytes: card.gigabytes };
};

/** Cards from small to large. */
export const PEAKS: readonly Peak[] = [
  amd("gfx1150"),
  { name: "GeForce RTX 3060", teraflops: 12.7, gigabytes: 360 },
  amd("navi31"),
  { name: "GeForce RTX 4090", teraflops: 82.6, gigabytes: 1008 },
  { name: "H200 SXM", teraflops: 67, gigabytes: 4800 },
];

/** Microseconds that a dispatch is assumed to take at least, as most wait for the one before. */
export const DISPATCH = 2;

/** Needs of one step or batch. */
export interface Needs extends Work {
  readonly dispatches: number;
}

/** Least milliseconds on a card. */
export interface Bound {
  /** Each dispatch at the roof that limits it, one behind the other. */
  readonly roofs: number;
  /** The same with at least `DISPATCH` for each. */
  readonly dispatched: number;
}

/** @param times how often the work was done while it was traced */
export function needsOf(dispatched: readonly Work[], times: number): Needs {
  const sum = (of: (one: Work) => number): number => dispatched.reduce((total, one) => total + of(one), 0) / times;
  return {
    bytes: sum(({ bytes }) => bytes),
    operations: sum(({ operations }) => operations),
    dispatches: dispatched.length / times,
  };
}

/** @param times how often the work was done while it was traced */
export function boundOf(dispatched: readonly Work[], times: number, { teraflops, gigabytes }: Peak): Bound {
  let [roofs, all] = [0, 0]; // microseconds
  for (const { bytes, operations } of dispatched) {
    const least = Math.max(bytes / gigabytes / 1e3, operations / teraflops / 1e6);
    roofs += least;
    all += Math.max(least, DISPATCH);
  }
  return { roofs: roofs / times / 1e3, dispatched: all / times / 1e3 };
}

/** A row of the report. */
export interface BoundRow extends Needs {
  readonly name: string;
  readonly bounds: readonly (Bound & { readonly card: string })[];
}

const short = (x: number): string => String(Number(x.toPrecision(2)));

/** The report as lines of a Markdown table. */
export function tableOf(rows: readonly BoundRow[]): readonly string[] {
  const heads = ["a step, or a batch", "GFLOP", "MB", "dispatches", ...rows[0]!.bounds.map(({ card }) => card)];
  return [
    `| ${heads.join(" | ")} |`,
    `|${heads.map(() => "---|").join("")}`,
    ...rows.map(({ name, operations, bytes, dispatches, bounds }) => {
      const needs = [operations / 1e9, bytes / 1e6].map((x) => Number(x.toPrecision(3)).toLocaleString("en"));
      const least = bounds.map(({ roofs, dispatched }) => `${short(roofs)}, ${short(dispatched)}`);
      return `| ${[name, ...needs, dispatches.toFixed(0), ...least].join(" | ")} |`;
    }),
  ];
}

const RUNS = 8; // traced: some steps draw noise and some do not

async function trace(idle: Device, { run, release }: Prepared, warmUps: number) {
  for (let i = 0; i < warmUps; i++) await run();
  const dispatched = await idle.trace(async () => {
    for (let i = 0; i < RUNS; i++) await run();
  });
  release();
  return { dispatched, times: RUNS };
}

/** A device that executes nothing and takes the forms of kernels that a GPU gets by itself. */
export function idleGpuOf(real: Device): Device {
  const { device } = real.dryRun();
  return Object.assign(device, { adapter: { ...device.adapter, software: false } });
}

/** The dispatches of some steps of a training, once they are captured. */
export const traceStep = (
  idle: Device,
  row: StepRow,
): Promise<{ readonly dispatched: readonly TracedDispatch[]; readonly times: number }> =>
  trace(
    idle,
    prepareStep(idle, row, () => new Zeros(1, 0)),
    row.warmUps,
  );

/** The dispatches of some inferences. */
export const traceInference = async (
  idle: Device,
  row: InferenceRow,
): Promise<{ readonly dispatched: readonly TracedDispatch[]; readonly times: number }> =>
  trace(idle, await prepareInference(idle, row), 1);
