// Every kernel by itself, with the reductions that belong to it, at GRAD's shapes for one image: 28 x 28 positions, 272
// channels. Writes bench/results/kernels.<adapter>.json, from which docs/kernels.md takes its rates.
// `bytes` is the traffic that the definition cannot do without, `flops` its operations; neither counts what a kernel wastes.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { KERNELS } from "./kernels.ts";
import { openDevice } from "../src/node/device.ts";

const LEAST_MILLISECONDS = 30; // of GPU time for a sample
const SAMPLES = 7;

const device = await openDevice();
const rounded = (x: number): number => Number(x.toPrecision(3));

const kernels = [];
for (const { kernel, what, bytes, flops, prepare } of KERNELS) {
  using _scope = device.scope();
  const run = prepare(device);
  /** GPU time of a call: the sum over its dispatches, each timed by itself, so that clears and uploads between them do not count. */
  const sample = async (times: number): Promise<number> => {
    const used = await device.profile(() => {
      for (let i = 0; i < times; i++) {
        using _inner = device.scope();
        run();
      }
    });
    return used.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / times;
  };
  await sample(1);
  const times = Math.max(1, Math.min(300, Math.ceil(LEAST_MILLISECONDS / (await sample(1)))));
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) samples.push(await sample(times));
  samples.sort((a, b) => a - b);
  const median = samples[SAMPLES >> 1]!;
  kernels.push({ kernel, what, milliseconds: rounded(median), least: rounded(samples[0]!), gigabytes: rounded(bytes / median / 1e6), gigaflops: rounded(flops / median / 1e6) });
  const { milliseconds, gigabytes, gigaflops } = kernels.at(-1)!;
  console.log(`${kernel.padEnd(44)} ${what.padEnd(34)} ${String(milliseconds).padStart(8)} ms ${String(gigabytes).padStart(7)} GB/s ${String(gigaflops).padStart(7)} GFLOP/s`);
}

const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const { adapter } = device;
const name = adapter.description.split(/[^A-Za-z0-9]+/)[0]!.toLowerCase();
const report = { adapter, commit, date: new Date().toISOString().slice(0, 10), samples: SAMPLES, kernels };
writeFileSync(`bench/results/kernels.${name}.json`, `${JSON.stringify(report, null, 1)}\n`);
process.exit(0);
