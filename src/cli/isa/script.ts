// The half of `bigrid isa` that runs a script on the driver without its hardware, in a process of its own. Every
// pipeline that the script's devices ask for is compiled alone, behind a marker. Nothing is computed: buffers hold zeros.
//   node dist/isa.js MANIFEST SCRIPT [ARGUMENT...]
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Device } from "../../runtime/device.ts";
import { labelOf, type KernelSpec } from "../../runtime/kernel.ts";
import { Pipelines } from "../../runtime/pipelines.ts";
import { announce, finish, type CompiledPipeline } from "./manifest.ts";

const [manifest, script, ...args] = process.argv.slice(2) as [string, string, ...string[]];
const path = resolve(script);
const found = new Map<string, CompiledPipeline>();
const intensities = new Map<string, number>();
let adapter = "no device was opened";

function note({ module, entryPoint, element }: KernelSpec, label: string): void {
  if (found.has(label)) return;
  announce(found.size);
  found.set(label, { label, shader: module.name, entryPoint, code: module.code, element, uses: [] });
}

const compile: Pipelines["kernel"] = Reflect.get(Pipelines.prototype, "kernel");
const dispatch: Device["dispatch"] = Reflect.get(Device.prototype, "dispatch");
Object.assign(Pipelines.prototype, {
  kernel(this: Pipelines, spec: KernelSpec) {
    note(spec, labelOf(spec));
    return compile.call(this, spec);
  },
  // Compiling ahead would mix the listings.
  prepare: () => Promise.resolve(),
});
Object.assign(Device.prototype, {
  dispatch(this: Device, ...given: Parameters<Device["dispatch"]>) {
    const [{ label }, , , , work] = given;
    adapter = this.adapter.description;
    if (work && work.bytes > 0)
      intensities.set(label, Math.max(intensities.get(label) ?? 0, work.operations / work.bytes));
    dispatch.call(this, ...given);
  },
});

// However the script ends, what it compiled is listed; an error is not an end.
process.once("exit", (code) => {
  if (code !== 0) return;
  const row = script;
  const pipelines = [...found.values()].map((pipeline) => ({
    ...pipeline,
    uses: [{ row, isForced: false, intensity: intensities.get(pipeline.label) ?? 0 }],
  }));
  finish(manifest, { adapter, pipelines });
});
process.argv = [process.execPath, path, ...args];
await import(/* @vite-ignore */ pathToFileURL(path).href);
process.exit(0); // Dawn would keep the process alive
