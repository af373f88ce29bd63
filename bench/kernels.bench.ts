// Every kernel by itself, with the reductions that belong to it, at GRAD's shapes for one image: 28 x 28 positions, 272
// channels. Writes bench/results/kernels.<adapter>.json, from which docs/kernels.md takes its rates; with --against FILE compares.
// `bytes` is the traffic that the definition cannot do without, `flops` its operations; neither counts what a kernel wastes.
// `share` is the time that these need at the roofs, measured in the same process, of the kernel's.
import { KERNELS } from "./kernels.ts";
import { measureKernel, SAMPLES } from "./measure.ts";
import { writeReport } from "./report.ts";
import { measureRoofs } from "./roofs.ts";
import { openDevice } from "../src/node/device.ts";

const device = await openDevice();
const roofs = await measureRoofs(device);
console.log(`${device.adapter.description}: at most ${roofs.gigaflops.toFixed(1)} GFLOP/s, ${roofs.gigabytes.toFixed(1)} GB/s`);
const kernels = [];
for (const measured of KERNELS) {
  const rate = await measureKernel(device, measured);
  const share = Number(Math.max(rate.gigabytes / roofs.gigabytes, rate.gigaflops / roofs.gigaflops).toPrecision(3));
  kernels.push({ ...rate, share });
  const { kernel, what, milliseconds, gigabytes, gigaflops } = rate;
  const rates = `${String(gigabytes).padStart(7)} GB/s ${String(gigaflops).padStart(7)} GFLOP/s ${(100 * share).toFixed(0).padStart(4)} %`;
  console.log(`${kernel.padEnd(44)} ${what.padEnd(34)} ${String(milliseconds).padStart(8)} ms ${rates}`);
}
writeReport("kernels", device, { samples: SAMPLES, roofs, kernels }, (report) =>
  new Map(report.kernels.map(({ kernel, what, least }) => [`${kernel}, ${what}`, least])));
process.exit();
