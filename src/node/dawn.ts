import { tmpdir } from "node:os";
import type { AdapterSwitch } from "../runtime/acquire.ts";
import { AdapterError } from "../runtime/errors.ts";

/** Dawn's switches that are set for every device. Dawn ignores those that mean nothing to a driver. */
export const SWITCHES: readonly AdapterSwitch[] = [
  { name: "allow_unsafe_apis", on: true, purpose: "experimental features, of which only subgroup matrices are used" },
  { name: "vulkan_enable_f16_on_nvidia", on: true, purpose: "shader-f16, which Dawn withholds on NVIDIA under Vulkan" },
  { name: "use_vulkan_memory_model", on: true, purpose: "subgroup matrices, which Dawn withholds without it" },
  { name: "timestamp_quantization", on: false, purpose: "exact timestamps instead of steps of 65 microseconds" },
];

/** Switches as arguments of Dawn's `create`. */
export function argumentsOf(switches: readonly AdapterSwitch[]): string[] {
  const names = (on: boolean): string =>
    switches
      .filter((one) => one.on === on)
      .map(({ name }) => name)
      .join(",");
  return [`enable-dawn-features=${names(true)}`, `disable-dawn-features=${names(false)}`];
}

// Dawn's instances must stay reachable: the process crashes if one is garbage-collected. On the global object they
// outlive this module, and a second copy of the module shares them.
const INSTANCES = Symbol.for("bigrid.dawn.instances");
const holder = globalThis as { [INSTANCES]?: Map<string, GPU> };

/**
 * An instance of Dawn with the given switches; the same one for the same switches.
 * @throws AdapterError if the package webgpu does not load
 */
export async function loadDawn(switches: readonly AdapterSwitch[] = SWITCHES): Promise<GPU> {
  const instances = (holder[INSTANCES] ??= new Map());
  const options = argumentsOf(switches);
  const known = instances.get(options.join(" "));
  if (known) return known;
  process.env["XDG_RUNTIME_DIR"] ??= tmpdir(); // Dawn's Vulkan loader wants one to be set
  const webgpu = await import("webgpu").catch((cause: unknown) => {
    throw new AdapterError(
      `the npm package webgpu does not load on ${process.platform} ${process.arch}: ${(cause as Error).message}`,
      { cause },
    );
  });
  Object.assign(globalThis, webgpu.globals);
  const gpu = webgpu.create(options);
  instances.set(options.join(" "), gpu);
  return gpu;
}
