// A training step of GRAD `tiny`, on features of the embedded backbone and of EfficientNet-B4: time from the first dispatch to the last,
// and where it goes. And inference, from decoded photographs to scores and maps on the host. Writes bench/results/grad.<adapter>.json; with --against FILE compares.
import type { DecodedImage } from "../src/io/image.ts";
import { gradConfig } from "../src/models/grad/config.ts";
import type { Stage } from "../src/models/grad/fit.ts";
import { Grad } from "../src/models/grad/model.ts";
import { GradTraining } from "../src/models/grad/training.ts";
import { Weights } from "../src/nn/weights.ts";
import { openDevice } from "../src/node/device.ts";
import { RandomStream } from "../src/tensor/random.ts";
import { fromArray } from "../src/tensor/tensor.ts";
import { madeUpDetector, madeUpPicture } from "../test/made_up_detector.ts";
import { Comparison, wantedRows, writeReport } from "./report.ts";

const [CELLS, BATCH, VARIANCE] = [28, 8, 24];
const CHANNELS = [40, 216]; // the embedded backbone's at 224 pixels, and EfficientNet-B4's
const [WARM_UP, STEPS, SHOWN] = [6, 15, 12];

const DETECTORS = [{ backbone: "embedded", decoder: "tiny" }, { backbone: "efficientnet-b6", decoder: "mobile" }] as const;
const IMAGES = [1, 16];
const [SIDE, INPUT_SIZE] = [256, 224]; // of photographs, and what they are resized to
const MOST_MILLISECONDS = 30_000; // for batches of one kind, but for the first

const device = await openDevice();
const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const medianOf = (sorted: readonly number[]): number => sorted[sorted.length >> 1]!;

async function measureStep(channels: number, stage: Stage) {
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
    milliseconds: { min: milliseconds[0]!, median: medianOf(milliseconds) },
    processorMilliseconds, // of all threads: on a software adapter the work itself, whoever else uses the machine
    dispatches: (after.dispatches - before.dispatches) / STEPS,
    submits: (after.submits - before.submits) / STEPS,
    bindGroups: (after.bindGroups - before.bindGroups) / STEPS,
    bytesUploaded: (after.bytesUploaded - before.bytesUploaded) / STEPS,
    kernels: kernels.slice(0, SHOWN).map(({ label, dispatches, milliseconds }) => ({ label, dispatches, milliseconds: Number(milliseconds.toFixed(3)) })),
  };
}

async function measureInference({ backbone, decoder }: (typeof DETECTORS)[number], batch: number) {
  const network = backbone === "embedded" ? null : { name: backbone, padding: "same" } as const;
  const detector = await madeUpDetector(device, INPUT_SIZE, { decoder }, network);
  const pictures: DecodedImage[] = Array.from({ length: batch }, (_, i) => madeUpPicture(SIDE, i));
  await detector.inspect(pictures);
  const milliseconds: number[] = [];
  const [before, began] = [device.counters(), performance.now()];
  while (milliseconds.length === 0 || (milliseconds.length < STEPS && performance.now() - began < MOST_MILLISECONDS)) {
    const start = performance.now();
    await detector.inspect(pictures);
    milliseconds.push(performance.now() - start);
  }
  const [after, { bytes, freeBytes }] = [device.counters(), device.memory()];
  detector.release();
  device.trim();
  const batches = milliseconds.length;
  milliseconds.sort((a, b) => a - b);
  return {
    backbone,
    decoder,
    batch,
    batches,
    milliseconds: { min: milliseconds[0]!, median: medianOf(milliseconds) },
    deviceBytes: bytes + freeBytes,
    dispatches: (after.dispatches - before.dispatches) / batches,
    bindGroups: (after.bindGroups - before.bindGroups) / batches,
    bytesUploaded: (after.bytesUploaded - before.bytesUploaded) / batches,
  };
}

const nameOfStep = ({ channels, stage }: { readonly channels: number; readonly stage: string }): string => `${channels} channels, ${stage}`;
const nameOfInference = ({ backbone, decoder, batch }: { readonly backbone: string; readonly decoder: string; readonly batch: number }): string =>
  `inference, ${backbone}, ${decoder}, batch ${batch}`;

console.log(`${device.adapter.description}; GRAD tiny, batches of ${BATCH} x ${CELLS} x ${CELLS}`);
const results = [];
const steps = CHANNELS.flatMap((channels) => (["abnormal", "normal"] as const).map((stage) => ({ channels, stage })));
for (const { channels, stage } of wantedRows(steps, nameOfStep)) {
  const result = await measureStep(channels, stage);
  results.push(result);
  const { milliseconds: { median, min }, processorMilliseconds, dispatches, kernels } = result;
  const times = `${median.toFixed(1)} ms a step (median of ${STEPS}; min ${min.toFixed(1)}; ${processorMilliseconds.toFixed(0)} of processor)`;
  console.log(`${nameOfStep(result)}: ${times}, ${dispatches.toFixed(1)} dispatches; by kernel:`);
  for (const kernel of kernels) console.log(`  ${kernel.milliseconds.toFixed(2).padStart(8)} ms ${String(kernel.dispatches).padStart(4)} x ${kernel.label}`);
}
const inference = [];
const batches = DETECTORS.flatMap((detector) => IMAGES.map((batch) => ({ ...detector, batch })));
for (const wanted of wantedRows(batches, nameOfInference)) {
  const result = await measureInference(wanted, wanted.batch);
  inference.push(result);
  const { batch, batches, milliseconds: { median, min }, deviceBytes } = result;
  const rate = `${((1000 * batch) / median).toPrecision(3)} images a second`;
  const times = `${median.toFixed(1)} ms a batch (median of ${batches}; min ${min.toFixed(1)})`;
  console.log(`${nameOfInference(result)}: ${rate}, ${times}, ${(deviceBytes / 2 ** 20).toFixed(0)} MiB on the device`);
}
interface Report {
  readonly results: readonly { readonly channels: number; readonly stage: string; readonly milliseconds: { readonly min: number } }[];
  readonly inference?: readonly { readonly backbone: string; readonly decoder: string; readonly batch: number; readonly milliseconds: { readonly min: number } }[];
}
const timesOf = ({ results, inference = [] }: Report) => new Map([
  ...results.map((result) => [nameOfStep(result), result.milliseconds.min] as const),
  ...inference.map((result) => [nameOfInference(result), result.milliseconds.min] as const),
]);
const comparison = Comparison.asked("grad", device, timesOf);
if (comparison) comparison.report({ results, inference });
else writeReport("grad", device, { batch: BATCH, cells: CELLS, results, inference });
process.exit();
