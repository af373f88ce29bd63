import { tmpdir } from "node:os";
import { reportAdapter, requestDevice, type AdapterReport, type DeviceOptions } from "../runtime/acquire.ts";
import type { Device } from "../runtime/device.ts";
import { AdapterError } from "../runtime/errors.ts";
import { tuningFile } from "./tuning_file.ts";

const HELP =
  "install your GPU's Vulkan driver, or Mesa's software one (Debian and Ubuntu: apt-get install mesa-vulkan-drivers, Mesa 24 or newer; " +
  "on Debian 12 from bookworm-backports); VK_DRIVER_FILES names a driver explicitly";

// Dawn's instance must stay reachable: the process crashes if it is garbage-collected. On the global object it outlives
// this module, and a second copy of the module shares it.
const INSTANCE = Symbol.for("bigrid.dawn");
const holder = globalThis as { [INSTANCE]?: GPU };

// Exact timestamps instead of steps of 65 us; and experimental features, of which only requested ones are used.
const DAWN = ["disable-dawn-features=timestamp_quantization", "enable-dawn-features=allow_unsafe_apis"];

const opened = new Set<WeakRef<Device>>();

/**
 * Destroys open devices at exit: the driver's threads crash if torn down while they work. Destroying a device waits for
 * them.
 */
function destroyAtExit(device: Device): void {
  if (opened.size === 0) process.on("exit", destroyOpened);
  const reference = new WeakRef(device);
  opened.add(reference);
  void device.lost.then(() => {
    opened.delete(reference);
    if (opened.size === 0) process.off("exit", destroyOpened);
  });
}

function destroyOpened(): void {
  for (const reference of opened) reference.deref()?.destroy();
}

async function loadDawn(): Promise<GPU> {
  if (holder[INSTANCE]) return holder[INSTANCE];
  process.env["XDG_RUNTIME_DIR"] ??= tmpdir(); // Dawn's Vulkan loader wants one to be set
  const webgpu = await import("webgpu").catch((cause: unknown) => {
    throw new AdapterError(
      `the npm package webgpu does not load on ${process.platform} ${process.arch}: ${(cause as Error).message}`,
      { cause },
    );
  });
  Object.assign(globalThis, webgpu.globals);
  return (holder[INSTANCE] = webgpu.create(DAWN));
}

/** True if devices measure forms of kernels by default: BIGRID_AUTOTUNE is set, and neither empty nor 0. */
const wantsTuning = (): boolean => !["", "0"].includes(process.env["BIGRID_AUTOTUNE"] ?? "");

/**
 * A device on this machine's GPU, through Dawn.
 * @param options `autotune` is by default what the variable BIGRID_AUTOTUNE says
 * @throws AdapterError if there is no adapter, with what to install
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const device = await requestDevice(
    await loadDawn(),
    HELP,
    { ...options, autotune: options.autotune ?? wantsTuning() },
    tuningFile,
  );
  destroyAtExit(device);
  return device;
}

/**
 * Describes this machine's adapter and its capabilities.
 * @throws AdapterError if there is no adapter, with what to install
 */
export async function describeAdapter(): Promise<AdapterReport> {
  return reportAdapter(await loadDawn(), HELP);
}
