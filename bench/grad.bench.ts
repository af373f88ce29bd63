// A training step of GRAD `tiny`, on features of the embedded backbone and of EfficientNet-B4: time from the first dispatch to the last,
// and where it goes. Writes bench/results/grad.<adapter>.json; with --against FILE compares.
import { gradConfig } from "../src/models/grad/config.ts";
import type { Stage } from "../src/models/grad/fit.ts";
import { Grad } from "../src/models/grad/model.ts";
import { GradTraining } from "../src/models/grad/training.ts";
import { Weights } from "../src/nn/weights.ts";
import { openDevice } from "../src/node/device.ts";
import { RandomStream } from "../src/tensor/random.ts";
import { fromArray } from "../src/tensor/tensor.ts";
import { Comparison, wantedRows, writeReport } from "./report.ts";

const [CELLS, BATCH, VARIANCE] = [28, 8, 24];
const CHANNELS = [40, 216]; // the embedded backbone's at 224 pixels, and EfficientNet-B4's
const [WARM_UP, STEPS, SHOWN] = [6, 15, 12];

const device = await openDevice();
const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function measure(channels: number, stage: Stage) {
  const values = new RandomStream(1, 1).normals(BATCH * CELLS * CELLS * channels, Math.sqrt(VARIANCE));
  /** The same images whatever is asked for: their order does not matter to the time. */
  const features = { count: BATCH, batch: () => Promise.resolve(fromArray(device, [BATCH, CELLS, CELLS, channels], values)) };
  const config = gradConfig({ height: CELLS, width: CELLS, channels, variance: VARIANCE }, { form: "published", decoder: "tiny" });
  const model = new Grad(Weights.drawn(device), config, new RandomStream(1, 0));
  const deviations = fromArray(device, [channels], new Float32Array(channels).fill(Math.sqrt(VARIANCE)));
  const epochs = { epochsAbnormal: 200, epochsNormal: 200, epochsResidual: 1, leastAbnormal: 50, leastNormal: 500, leastResidual: 30, enoughHits: 1 };
  const training = new GradTraining(model, features, { ...epochs, batch: BATCH, seed: 1, deviations });
  training.resume({ stage, step: 0 }, null);
  const steps = training.fit();
  for (let i = 0; i < WARM_UP; i++) await steps.next();
  await device.finish();

  const milliseconds: number[] = [];
  const [before, worked] = [device.counters(), processor()];
  for (let i = 0; i < STEPS; i++) {
    const start = performance.now();
    await steps.next();
    await device.finish();
    milliseconds.push(performance.now() - start);
  }
  const [after, processorMilliseconds] = [device.counters(), (processor() - worked) / STEPS];
  milliseconds.sort((a, b) => a - b);
  const kernels = await device.profile(async () => void (await steps.next()));
  training.release();
  model.weights.release();
  return {
    channels,
    stage,
    milliseconds: { min: milliseconds[0]!, median: milliseconds[STEPS >> 1]! },
    processorMilliseconds, // of all threads: on a software adapter the work itself, whoever else uses the machine
    dispatches: (after.dispatches - before.dispatches) / STEPS,
    submits: (after.submits - before.submits) / STEPS,
    bindGroups: (after.bindGroups - before.bindGroups) / STEPS,
    bytesUploaded: (after.bytesUploaded - before.bytesUploaded) / STEPS,
    kernels: kernels.slice(0, SHOWN).map(({ label, dispatches, milliseconds }) => ({ label, dispatches, milliseconds: Number(milliseconds.toFixed(3)) })),
  };
}

const results = [];
const nameOf = ({ channels, stage }: { readonly channels: number; readonly stage: string }): string => `${channels} channels, ${stage}`;
const kinds = CHANNELS.flatMap((channels) => (["abnormal", "normal"] as const).map((stage) => ({ channels, stage })));
for (const { channels, stage } of wantedRows(kinds, nameOf)) results.push(await measure(channels, stage));
console.log(`${device.adapter.description}; GRAD tiny, batches of ${BATCH} x ${CELLS} x ${CELLS}`);
for (const { channels, stage, milliseconds, processorMilliseconds, dispatches, kernels } of results) {
  const { median, min } = milliseconds;
  const times = `${median.toFixed(1)} ms a step (median of ${STEPS}; min ${min.toFixed(1)}; ${processorMilliseconds.toFixed(0)} of processor)`;
  console.log(`${channels} channels, ${stage}: ${times}, ${dispatches} dispatches; by kernel:`);
  for (const kernel of kernels) console.log(`  ${kernel.milliseconds.toFixed(2).padStart(8)} ms ${String(kernel.dispatches).padStart(4)} x ${kernel.label}`);
}
const timesOf = (report: { readonly results: readonly { readonly channels: number; readonly stage: string; readonly milliseconds: { readonly min: number } }[] }) =>
  new Map(report.results.map(({ channels, stage, milliseconds }) => [nameOf({ channels, stage }), milliseconds.min]));
const comparison = Comparison.asked("grad", device, timesOf);
if (comparison) comparison.report({ results });
else writeReport("grad", device, { batch: BATCH, cells: CELLS, results });
process.exit();
