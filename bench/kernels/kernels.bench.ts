// Every kernel by itself, with the reductions that belong to it, at GRAD's shapes, for one image and for 16, and at
// EfficientNet-B6's. Writes bench/results/kernels.<adapter>.json, from which docs/kernels.md takes its rates. With
// --against FILE it compares, with --rows WORD... it measures only rows with one of the words in their names; both
// write nothing. `bytes` is the least traffic that the definition requires, `flops` its operations; neither counts a
// kernel's overhead. `share` is the time that these take at the roofs, measured in the same process, divided by the
// kernel's time. With --unchecked each row is measured again without a device's checks.
import { isPossible, KERNELS } from "./rows.ts";
import { measureKernel, SAMPLES, type KernelRate } from "../measure.ts";
import { NETWORK_ROWS } from "../training/network_rows.ts";
import { Comparison, inTime, wantedRows, wantsUnchecked, writeReport } from "../report.ts";
import { shareOf } from "../roofline/points.ts";
import { costSummary, openUnchecked, uncheckedWords, type Unchecked } from "../unchecked.ts";
import { measureRoofs } from "../../src/kernels/roofs.ts";
import { openDevice } from "../../src/node/device.ts";

const ATTEMPTS = 3; // for a row that seems slower than before, as other load on the machine may be the cause

const device = await openDevice();
const unchecked = wantsUnchecked() ? await openUnchecked() : null;
const roofs = await measureRoofs(device);
console.log(
  `${device.adapter.description}: at most ${roofs.gigaflops.toFixed(1)} GFLOP/s, ${roofs.gigabytes.toFixed(1)} GB/s`,
);
const nameOf = ({ kernel, what }: { readonly kernel: string; readonly what: string }): string => `${kernel}, ${what}`;
const comparison = Comparison.asked(
  "kernels",
  device,
  (report: { readonly kernels: readonly (Parameters<typeof nameOf>[0] & { readonly least: number })[] }) =>
    new Map(report.kernels.map((row) => [nameOf(row), row.least])),
);
const kernels: (KernelRate & { readonly unchecked?: Unchecked })[] = [];
const rows = [...KERNELS, ...NETWORK_ROWS].filter((row) => isPossible(device, row));
for (const measured of inTime(wantedRows(rows, nameOf))) {
  let rate = await measureKernel(device, measured);
  for (let i = 1; i < ATTEMPTS && comparison?.isSlower(nameOf(rate), rate.least); i++) {
    const again = await measureKernel(device, measured);
    if (again.least < rate.least) rate = again;
  }
  const share = shareOf(rate, roofs);
  const bare = unchecked && (await measureKernel(unchecked, measured));
  kernels.push({ ...rate, ...(bare && { unchecked: { milliseconds: bare.milliseconds, least: bare.least } }) });
  const { milliseconds, gigabytes, gigaflops } = rate;
  const rates = `${String(gigabytes).padStart(7)} GB/s ${String(gigaflops).padStart(7)} GFLOP/s ${(100 * share).toFixed(0).padStart(4)} %`;
  console.log(
    `${nameOf(rate).padEnd(82)} ${String(milliseconds).padStart(8)} ms ${rates}${bare ? `  ${uncheckedWords(rate, bare)}` : ""}`,
  );
}
const both = kernels.flatMap((rate) =>
  rate.unchecked ? [{ ...rate, name: nameOf(rate), unchecked: rate.unchecked }] : [],
);
if (both.length > 0) console.log(costSummary(both));
comparison?.report({ kernels });
const again = await measureRoofs(device); // the better of two, as other load on the machine only lowers a roof
const best = {
  gigaflops: Math.max(roofs.gigaflops, again.gigaflops),
  gigabytes: Math.max(roofs.gigabytes, again.gigabytes),
};
writeReport("kernels", device, {
  samples: SAMPLES,
  roofs: best,
  kernels: kernels.map((rate) => ({ ...rate, share: shareOf(rate, best) })),
});
process.exit();
