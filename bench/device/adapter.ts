// Says what adapter there is, with its features, matrices and switches; fails on a software adapter without --software.
import { measureRoofs } from "../../src/kernels/roofs.ts";
import { describeAdapter, openDevice } from "../../src/node/device.ts";
import { options, writeResult } from "./options.ts";

const report = await describeAdapter();
const { adapter, features, matrices, missing, switches = [] } = report;
console.log(`adapter: ${adapter.description}; ${adapter.vendor} ${adapter.architecture}`);
console.log(`features: ${features.join(" ")}`);
console.log(`matrices: ${matrices.join(", ") || "none"}`);
console.log(`missing: ${missing.join(" ") || "nothing"}`);
console.log(`switches: ${switches.map(({ name, on }) => `${name} ${on ? "on" : "off"}`).join(", ")}`);
const isWanted = options.software || !adapter.software;
if (isWanted) {
  const roofs = await measureRoofs(await openDevice());
  console.log(`roofs: ${roofs.gigaflops.toFixed(0)} GFLOP/s, ${roofs.gigabytes.toFixed(1)} GB/s`);
  writeResult("adapter", { ...report, roofs });
} else console.error("this is a software adapter; --software measures it all the same");
process.exit(isWanted ? 0 : 1);
