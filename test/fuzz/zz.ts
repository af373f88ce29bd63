import { device } from "../device.ts";
import { Draws } from "../draws.ts";
import { operations } from "./operations.ts";
import { faultOfCase } from "./fuzz.ts";
import { Device } from "../../src/runtime/device.ts";
export async function main(): Promise<number> {
  const op = operations.find((o) => o.name === "gridSample")!;
  for (let s = 1; s <= 60; s++) {
    const p = op.draw(new Draws(s));
    if (p.height !== 13) continue;
    let seen = "";
    device.kernel = (spec) => { if (spec.module.name === "scan") seen += spec.entryPoint + JSON.stringify(spec.constants ?? {}) + " "; return Device.prototype.kernel.call(device, spec); };
    const t = performance.now();
    const f = await faultOfCase(op, s);
    console.log(s, JSON.stringify(p), f?.words, seen.slice(0, 200), (performance.now() - t).toFixed(0));
    break;
  }
  return 0;
}
