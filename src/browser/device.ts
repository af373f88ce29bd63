import { reportAdapter, requestDevice, type AdapterReport, type DeviceOptions } from "../runtime/acquire.ts";
import type { Device } from "../runtime/device.ts";
import { AdapterError } from "../runtime/errors.ts";
import { tuningRecord } from "./tuning_record.ts";

const HELP =
  "this browser has WebGPU but no GPU to offer it; look at its page about graphics (chrome://gpu, about:support)";

/**
 * A device on the browser's GPU.
 * @throws AdapterError if the browser has no WebGPU or no adapter, with what to do
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  return requestDevice(browserGpu(), HELP, options, tuningRecord);
}

/**
 * Describes the browser's adapter and its capabilities.
 * @throws AdapterError if there is none
 */
export async function describeAdapter(): Promise<AdapterReport> {
  return reportAdapter(browserGpu(), HELP);
}

function browserGpu(): GPU {
  // Absent outside secure contexts and in browsers without WebGPU, whatever the types say.
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  if (!gpu)
    throw new AdapterError(
      "this browser has no WebGPU: use a current Chrome, Edge, Safari or Firefox, over https or from localhost",
    );
  return gpu;
}
