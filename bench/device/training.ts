// Training steps at the sizes of the paper and below, in every decoder, for EfficientNet-B4's and B6's features; then
// many steps of the largest, as they come in a training (--steps 0: none). With --autotune on a device that measures its forms.
import { openDevice } from "../../src/node/device.ts";
import { DECODERS } from "../../src/methods/parts/decoders.ts";
import { nameOfStep, prepareStep, type StepRow } from "../training/grad_rows.ts";
import { goesOn, options, writeResult } from "./options.ts";

const [WARM_UPS, RUNS, MOST_MILLISECONDS] = [3, 20, 1500]; // the last for the runs of a row
const SHARE = 0.6; // of the time, for rows; the rest is for the many steps

const base = { stage: "normal", recompute: false, warmUps: WARM_UPS } as const;
const rows: readonly StepRow[] = options.small
  ? [{ ...base, decoder: "tiny", channels: 40, batch: 1 }]
  : [1, 16].flatMap((batch) =>
      ([216, 272] as const).flatMap((channels) => DECODERS.map((decoder) => ({ ...base, decoder, channels, batch }))),
    );
const long: StepRow = options.small
  ? { ...rows[0]!, batch: 2 }
  : { ...base, decoder: "mobile", channels: 272, batch: 16 };

const device = await openDevice({ autotune: options.autotune });
const measured: object[] = [];
const [name, began] = [options.autotune ? "training.tuned" : "training", performance.now()];
const write = (steps: object | null): void =>
  writeResult(name, {
    adapter: device.adapter,
    rows: measured,
    steps,
    choices: Object.fromEntries(device.tuner.choices),
  });

for (const row of rows) {
  if (performance.now() - began > 1000 * SHARE * options.seconds) {
    console.log(`${rows.length - measured.length} of ${rows.length} rows left out`);
    break;
  }
  try {
    measured.push(await measureRow(row));
  } catch (error) {
    console.log(`${nameOfStep(row)}: ${(error as Error).message}`); // such as no memory for it
    measured.push({ name: nameOfStep(row), error: (error as Error).message });
  }
  write(null);
}

async function measureRow(row: StepRow): Promise<object> {
  const { run, release } = prepareStep(device, row);
  try {
    for (let i = 0; i < WARM_UPS; i++) await run();
    await device.finish();
    const milliseconds: number[] = [];
    const start = performance.now();
    while (milliseconds.length < RUNS && (milliseconds.length === 0 || performance.now() - start < MOST_MILLISECONDS)) {
      const before = performance.now();
      await run();
      await device.finish();
      milliseconds.push(performance.now() - before);
    }
    milliseconds.sort((a, b) => a - b);
    const [least, median] = [milliseconds[0]!, milliseconds[milliseconds.length >> 1]!];
    const { bytes, freeBytes } = device.memory();
    console.log(`${nameOfStep(row)}: ${median.toFixed(1)} ms a step, least ${least.toFixed(1)}`);
    const runs = milliseconds.length;
    return { name: nameOfStep(row), ...row, runs, least, median, deviceBytes: bytes + freeBytes };
  } finally {
    release();
  }
}

/** Steps of the largest size as they come, until the wanted number or the end of the time. */
async function train(): Promise<object> {
  const { run, release } = prepareStep(device, long);
  const losses: number[] = [];
  const start = performance.now();
  let taken = 0;
  while (taken < options.steps && (taken < 2 * WARM_UPS || goesOn())) {
    const { value } = await run();
    taken++;
    if (value && value.loss !== null) losses.push(value.loss);
  }
  await device.finish();
  const seconds = (performance.now() - start) / 1000;
  release();
  if (!losses.every(Number.isFinite)) throw new Error("a loss is not finite");
  const each = `${((1000 * seconds) / taken).toFixed(1)} ms each, compiling included`;
  console.log(`${nameOfStep(long)}: ${taken} steps in ${seconds.toFixed(1)} s, ${each}`);
  console.log(`losses: ${losses.map((loss) => loss.toPrecision(4)).join(" ")}`);
  return { name: nameOfStep(long), taken, seconds, losses };
}

write(options.steps > 0 ? await train() : null);
process.exit();
