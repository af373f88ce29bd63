import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import {
  reportAdapter,
  requestDevice,
  type AdapterReport,
  type AdapterSwitch,
  type DeviceOptions,
} from "../runtime/acquire.ts";
import type { Device } from "../runtime/device.ts";
import { loadDawn, SWITCHES } from "./dawn.ts";
import { tuningFile } from "./tuning_file.ts";

const HELP =
  "install your GPU's Vulkan driver, or Mesa's software one (Debian and Ubuntu: apt-get install mesa-vulkan-drivers, Mesa 24 or newer; " +
  "on Debian 12 from bookworm-backports); VK_DRIVER_FILES names a driver explicitly";

const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]; // Vulkan's; the first that is set counts

/** Advice where there is no adapter: a variable that names drivers that do not exist, else what to install. */
function adviceOf(): string {
  const variable = DRIVER_VARIABLES.find((name) => process.env[name]);
  const named = variable === undefined ? [] : process.env[variable]!.split(delimiter);
  const missing = named.filter((path) => path !== "" && !existsSync(path));
  if (missing.length === 0) return HELP;
  return `${variable} names ${missing.join(" and ")}, and nothing is there: unset it, or name the .json file of a Vulkan driver`;
}

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

/** True if devices measure forms of kernels by default: BIGRID_AUTOTUNE is set, and neither empty nor 0. */
const wantsTuning = (): boolean => !["", "0"].includes(process.env["BIGRID_AUTOTUNE"] ?? "");

/**
 * A device on this machine's GPU, through Dawn.
 * @param options `autotune` is by default what the variable BIGRID_AUTOTUNE says
 * @throws AdapterError if there is no adapter, with what to install
 */
export const openDevice = (options: DeviceOptions = {}): Promise<Device> => openSwitched(SWITCHES, options);

/** A device as `openDevice` makes it, with other switches of Dawn. */
export async function openSwitched(switches: readonly AdapterSwitch[], options: DeviceOptions = {}): Promise<Device> {
  const device = await requestDevice(
    await loadDawn(switches),
    adviceOf(),
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
  return { ...(await reportAdapter(await loadDawn(), adviceOf())), switches: SWITCHES };
}
