// A training step of GRAD (`tiny` on features of the embedded backbone and of EfficientNet-B4, `mobile` on B6's, with
// and without recomputed blocks), and inference, from decoded photographs to scores and maps on the host. Each with the
// time that its kernels would take at the roofs, measured in the same process. Writes
// bench/results/grad.<adapter>.json; with --against FILE compares, with --unchecked takes the times again without a
// device's checks.
import { openDevice } from "../../src/node/device.ts";
import type { TracedDispatch, Work } from "../../src/runtime/profiler.ts";
import { Comparison, inTime, wantedRows, wantsUnchecked, writeReport } from "../report.ts";
import { costSummary, openUnchecked, uncheckedWords, type Unchecked } from "../unchecked.ts";
import type { Device } from "../../src/runtime/device.ts";
import { measureRoofs } from "../../src/kernels/roofs.ts";
import {
  CELLS,
  inferenceRows,
  nameOfInference,
  nameOfStep,
  prepareInference,
  prepareStep,
  stepRows,
  type InferenceRow,
  type Prepared,
  type StepRow,
} from "./grad_rows.ts";

const device = await openDevice();
const unchecked = wantsUnchecked() ? await openUnchecked() : null;
const roofs = await measureRoofs(device);
device.trim();

// runs of a row, the time limit for more than one, and the number of kernels printed
const [RUNS, MOST_MILLISECONDS, SHOWN] = [15, 30_000, 12];

const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, x) => total + x, 0);

/** Milliseconds at the roofs. */
const least = ({ bytes, operations }: Work): number =>
  Math.max(bytes / roofs.gigabytes, operations / roofs.gigaflops) / 1e6;

/** Rates of the work in a time, in milliseconds, each dispatch measured against the roof that limits it. */
function ratesOf(dispatched: readonly TracedDispatch[], milliseconds: number) {
  const rate = (of: (one: TracedDispatch) => number) =>
    Number((sum(dispatched.map(of)) / milliseconds / 1e6).toPrecision(3));
  return {
    gigabytes: rate(({ bytes }) => bytes),
    gigaflops: rate(({ operations }) => operations),
    share: Number((sum(dispatched.map(least)) / milliseconds).toPrecision(3)),
  };
}

/** Milliseconds of several runs, the least first. */
async function timeRuns(on: Device, run: Prepared["run"]): Promise<number[]> {
  const milliseconds: number[] = [];
  const began = performance.now();
  while (milliseconds.length === 0 || (milliseconds.length < RUNS && performance.now() - began < MOST_MILLISECONDS)) {
    const start = performance.now();
    await run();
    await on.finish();
    milliseconds.push(performance.now() - start);
  }
  return milliseconds.sort((a, b) => a - b);
}

async function warmUp(on: Device, run: Prepared["run"], times: number): Promise<void> {
  for (let i = 0; i < times; i++) await run();
  await on.finish();
}

/** Times without checks. */
async function measureUnchecked(
  on: Device,
  prepared: Prepared | Promise<Prepared>,
  warmUps: number,
): Promise<Unchecked> {
  const { run, release } = await prepared;
  await warmUp(on, run, warmUps);
  const milliseconds = await timeRuns(on, run);
  release();
  return { milliseconds: milliseconds[milliseconds.length >> 1]!, least: milliseconds[0]! };
}

/** Times of `run`, counters of one run, and its time by kernel. */
async function measure(run: Prepared["run"], warmUps: number) {
  await warmUp(device, run, warmUps);
  let milliseconds: number[] = [];
  const [before, worked] = [device.counters(), processor()];
  const dispatched = await device.trace(async () => void (milliseconds = await timeRuns(device, run)));
  const [after, processorMilliseconds, { bytes: held, freeBytes }] = [
    device.counters(),
    processor() - worked,
    device.memory(),
  ];
  const runs = milliseconds.length;
  const counters = Object.fromEntries(
    (["dispatches", "submits", "bindGroups", "bytesUploaded"] as const).map((name) => [
      name,
      (after[name] - before[name]) / runs,
    ]),
  );
  const median = milliseconds[runs >> 1]!;
  return {
    runs,
    milliseconds: { min: milliseconds[0]!, median },
    // of all threads: on a software adapter this is the work itself, whatever else runs on the machine
    processorMilliseconds: processorMilliseconds / runs,
    bytes: Math.round(sum(dispatched.map(({ bytes }) => bytes)) / runs),
    operations: Math.round(sum(dispatched.map(({ operations }) => operations)) / runs),
    ...ratesOf(dispatched, runs * median),
    deviceBytes: held + freeBytes,
    ...(counters as Record<"dispatches" | "submits" | "bindGroups" | "bytesUploaded", number>),
    kernels: await profileKernels(run),
  };
}

/** The kernels of a run that take the most time. */
async function profileKernels(run: () => Promise<unknown>) {
  let times: Awaited<ReturnType<typeof device.profile>> = [];
  const dispatched = await device.trace(
    async () => void (times = await device.profile(async () => void (await run()))),
  );
  return times.slice(0, SHOWN).map(({ label, dispatches, milliseconds }) => ({
    label,
    dispatches,
    milliseconds: Number(milliseconds.toFixed(3)),
    ...ratesOf(
      dispatched.filter((one) => one.label === label),
      milliseconds,
    ),
  }));
}

/** Measures a row that `prepare` makes on a device, also without checks if that is asked for. */
async function measureRow<Row extends StepRow | InferenceRow>(
  row: Row,
  prepare: (on: Device, row: Row) => Prepared | Promise<Prepared>,
  warmUps: number,
) {
  const { run, release } = await prepare(device, row);
  const measured = await measure(run, warmUps);
  release();
  const bare = unchecked && (await measureUnchecked(unchecked, prepare(unchecked, row), warmUps));
  return { ...row, ...measured, ...(bare && { unchecked: bare }) };
}

type Measured = Awaited<ReturnType<typeof measure>> & { readonly unchecked?: Unchecked };

function print(
  name: string,
  rate: string,
  {
    runs,
    milliseconds: { min, median },
    processorMilliseconds,
    gigabytes,
    gigaflops,
    share,
    dispatches,
    deviceBytes,
    kernels,
    unchecked,
  }: Measured,
): void {
  const percent = (x: number): string => `${(100 * x).toFixed(0)} %`;
  console.log(
    `${name}: ${rate}, median of ${runs}; min ${min.toFixed(1)} ms, ${processorMilliseconds.toFixed(0)} of processor`,
  );
  console.log(
    `  ${gigabytes} GB/s, ${gigaflops} GFLOP/s: at the roofs its kernels would take ${percent(share)} of ${median.toFixed(1)} ms`,
  );
  if (unchecked) console.log(`  ${uncheckedWords({ least: min }, unchecked)}`);
  console.log(
    `  ${dispatches.toFixed(1)} dispatches; ${(deviceBytes / 2 ** 20).toFixed(0)} MiB on the device; by kernel:`,
  );
  for (const { label, dispatches, milliseconds, gigabytes, gigaflops, share } of kernels) {
    const rates = `${String(gigabytes).padStart(6)} GB/s ${String(gigaflops).padStart(6)} GFLOP/s ${percent(share).padStart(5)}`;
    console.log(`  ${milliseconds.toFixed(2).padStart(8)} ms ${rates} ${String(dispatches).padStart(4)} x ${label}`);
  }
}

console.log(
  `${device.adapter.description}: at most ${roofs.gigaflops.toFixed(1)} GFLOP/s, ${roofs.gigabytes.toFixed(1)} GB/s; ${CELLS} x ${CELLS} cells`,
);
const results = [];
for (const row of inTime(wantedRows(stepRows(device), nameOfStep))) {
  const result = await measureRow(row, prepareStep, row.warmUps);
  results.push(result);
  print(nameOfStep(row), `${result.milliseconds.median.toFixed(1)} ms a step`, result);
}
const inference = [];
for (const row of inTime(wantedRows(inferenceRows(device), nameOfInference))) {
  const result = await measureRow(row, prepareInference, 1);
  inference.push(result);
  print(
    nameOfInference(row),
    `${((1000 * row.batch) / result.milliseconds.median).toPrecision(3)} images a second`,
    result,
  );
}

interface Report {
  readonly results: readonly (StepRow & Pick<Measured, "milliseconds">)[];
  readonly inference: readonly (InferenceRow & Pick<Measured, "milliseconds">)[];
}
const timesOf = ({ results, inference }: Report) =>
  new Map([
    ...results.map((result) => [nameOfStep(result), result.milliseconds.min] as const),
    ...inference.map((result) => [nameOfInference(result), result.milliseconds.min] as const),
  ]);
const comparison = Comparison.asked("grad", device, timesOf);
const both = [
  ...results.map((row) => ({ ...row, name: nameOfStep(row) })),
  ...inference.map((row) => ({ ...row, name: nameOfInference(row) })),
].flatMap(({ name, milliseconds: { min: least }, unchecked }) => (unchecked ? [{ name, least, unchecked }] : []));
if (both.length > 0) console.log(costSummary(both));
comparison?.report({ results, inference });
writeReport("grad", device, { cells: CELLS, roofs, results, inference });
process.exit();
