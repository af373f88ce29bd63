// A training step of GRAD `tiny`: time from the first dispatch to the last, and where it goes.
// Writes bench/results/grad.<adapter>.json.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { gradConfig } from "../src/models/grad/config.ts";
import type { Stage } from "../src/models/grad/fit.ts";
import { Grad } from "../src/models/grad/model.ts";
import { GradTraining } from "../src/models/grad/training.ts";
import { Weights } from "../src/nn/weights.ts";
import { openDevice } from "../src/node/device.ts";
import { RandomStream } from "../src/tensor/random.ts";
import { fromArray } from "../src/tensor/tensor.ts";

const [CELLS, CHANNELS, BATCH, VARIANCE] = [28, 40, 8, 24]; // the embedded backbone at 224 pixels
const [WARM_UP, STEPS, SHOWN] = [6, 15, 12];

const device = await openDevice();
const random = new RandomStream(1, 1);
const values = random.normals(BATCH * CELLS * CELLS * CHANNELS, Math.sqrt(VARIANCE));
/** The same images whatever is asked for: their order does not matter to the time. */
const features = { count: BATCH, batch: () => Promise.resolve(fromArray(device, [BATCH, CELLS, CELLS, CHANNELS], values)) };

async function measure(stage: Stage) {
  const config = gradConfig({ height: CELLS, width: CELLS, channels: CHANNELS, variance: VARIANCE }, { decoder: "tiny" });
  const model = new Grad(Weights.drawn(device), config, new RandomStream(1, 0));
  const deviations = fromArray(device, [CHANNELS], new Float32Array(CHANNELS).fill(Math.sqrt(VARIANCE)));
  const training = new GradTraining(model, features, { epochsAbnormal: stage === "abnormal" ? 200 : 1, epochsNormal: 200, batch: BATCH, leastAbnormal: 50, leastNormal: 500, enoughHits: 0.99, seed: 1, deviations });
  const steps = training.fit();
  let step = await steps.next();
  while (!step.done && (step.value.stage !== stage || step.value.step < WARM_UP)) step = await steps.next();
  await device.finish();

  const milliseconds: number[] = [];
  const before = device.counters();
  for (let i = 0; i < STEPS; i++) {
    const start = performance.now();
    await steps.next();
    await device.finish();
    milliseconds.push(performance.now() - start);
  }
  const after = device.counters();
  milliseconds.sort((a, b) => a - b);
  const kernels = await device.profile(async () => void (await steps.next()));
  return {
    stage,
    milliseconds: { min: milliseconds[0]!, median: milliseconds[STEPS >> 1]! },
    dispatches: (after.dispatches - before.dispatches) / STEPS,
    submits: (after.submits - before.submits) / STEPS,
    bytesUploaded: (after.bytesUploaded - before.bytesUploaded) / STEPS,
    kernels: kernels.slice(0, SHOWN).map(({ label, dispatches, milliseconds }) => ({ label, dispatches, milliseconds: Number(milliseconds.toFixed(3)) })),
  };
}

const results = [await measure("abnormal"), await measure("normal")];
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const { adapter } = device;
console.log(`${adapter.description}; GRAD tiny, ${BATCH} x ${CELLS} x ${CELLS} x ${CHANNELS}`);
for (const { stage, milliseconds, dispatches, kernels } of results) {
  console.log(`${stage}: ${milliseconds.median.toFixed(1)} ms a step (median of ${STEPS}; min ${milliseconds.min.toFixed(1)}), ${dispatches} dispatches; by kernel:`);
  for (const kernel of kernels) console.log(`  ${kernel.milliseconds.toFixed(2).padStart(8)} ms ${String(kernel.dispatches).padStart(4)} x ${kernel.label}`);
}
const name = adapter.description.split(/[^A-Za-z0-9]+/)[0]!.toLowerCase();
const report = { adapter, commit, date: new Date().toISOString().slice(0, 10), batch: BATCH, cells: CELLS, channels: CHANNELS, results };
writeFileSync(`bench/results/grad.${name}.json`, `${JSON.stringify(report, null, 1)}\n`);
process.exit(0);
