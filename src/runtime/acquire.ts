import { Device, type AdapterDescription } from "./device.ts";
import { AdapterError } from "./errors.ts";
import { describeMatrices, MATRIX_FEATURES, matrixUnits } from "./matrices.ts";
import { Tuner, type TuningStore } from "./tuner.ts";
import { VERSION } from "./version.ts";

// Used if present; nothing depends on them. Units for matrices have a feature of either name.
const WANTED_FEATURES: readonly GPUFeatureName[] = ["shader-f16", "timestamp-query"];

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render/i;

// Only memory limits are raised above WebGPU's defaults; every kernel fits the other default limits. Memory of workgroups
// beyond the default is for products on units for matrices alone.
const RAISED_LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize", "maxComputeWorkgroupStorageSize"] as const;

/** A switch of the implementation of WebGPU, set when it was loaded. */
export interface AdapterSwitch {
  readonly name: string;
  readonly on: boolean;
  /** The reason why it is set. */
  readonly purpose: string;
}

/** The adapter, with its features and limits, and the wanted features that it lacks. */
export interface AdapterReport {
  readonly adapter: AdapterDescription;
  readonly features: readonly string[];
  /** Wanted features that the driver withholds, or offers in a way that no kernel can use. */
  readonly missing: readonly string[];
  /** Matrices that the adapter's subgroups multiply, as "16x16x16 f16 to f32". */
  readonly matrices: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** Switches of the implementation; absent in browsers, which let nobody set any. */
  readonly switches?: readonly AdapterSwitch[];
}

/** Options for opening a device. */
export interface DeviceOptions {
  /** Request only WebGPU's default limits and no features, as every WebGPU device has. Default false. */
  readonly minimal?: boolean;
  /**
   * For kernels with several forms, measure the forms when a shape first occurs in training or inspection, and use the
   * fastest; choices are saved for later runs. Results then differ in the last bits from those of a device without it,
   * and from run to run until every form is measured. Default false: choices are fixed. See `tune`.
   */
  readonly autotune?: boolean;
}

/**
 * Requests an adapter and a device from `gpu`.
 * @param help advice to the user if there is no adapter
 * @param storeOf storage of the measured choices, by a key of adapter name, driver and library version
 * @throws AdapterError if there is no adapter, or if it refuses a device
 */
export async function requestDevice(
  gpu: GPU,
  help: string,
  options: DeviceOptions = {},
  storeOf?: (key: string) => TuningStore,
): Promise<Device> {
  const { minimal = false, autotune = false } = options;
  const adapter = await requestAdapter(gpu, help);
  const about = describe(adapter, !minimal);
  const { vendor, architecture, device: model, description } = adapter.info;
  const key = [`bigrid ${VERSION}`, vendor, architecture, model, description].join("; ");
  const tuner = new Tuner(storeOf?.(key), autotune);
  if (autotune) await tuner.load();
  try {
    const device = await adapter.requestDevice({
      label: "bigrid",
      requiredFeatures: minimal ? [] : usedFeatures(adapter),
      requiredLimits: minimal ? {} : Object.fromEntries(RAISED_LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
    return new Device(device, about, tuner);
  } catch (cause) {
    throw new AdapterError(`the adapter ${about.description} refused a device: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reports the adapter behind `gpu`, its features and its limits.
 * @throws AdapterError if there is none
 */
export async function reportAdapter(gpu: GPU, help: string): Promise<AdapterReport> {
  const adapter = await requestAdapter(gpu, help);
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") limits[name] = value;
  }
  return {
    adapter: describe(adapter),
    features: [...adapter.features].sort(),
    missing: [
      ...WANTED_FEATURES.filter((feature) => !adapter.features.has(feature)),
      ...(matrixUnits(adapter) ? [] : MATRIX_FEATURES.slice(-1)),
    ],
    matrices: describeMatrices(adapter),
    limits,
  };
}

async function requestAdapter(gpu: GPU, help: string): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new AdapterError(`no WebGPU adapter: ${help}`);
  return adapter;
}

/** The features that a device is asked for. */
const usedFeatures = (adapter: GPUAdapter): GPUFeatureName[] => [
  ...WANTED_FEATURES.filter((feature) => adapter.features.has(feature)),
  ...MATRIX_FEATURES.filter((feature) => matrixUnits(adapter)?.feature === feature),
];

function describe(adapter: GPUAdapter, withFeatures = true): AdapterDescription {
  const { info } = adapter;
  const matrices = withFeatures ? matrixUnits(adapter) : null;
  const description = info.description || info.device || info.architecture || "unnamed adapter";
  const { vendor, architecture } = info;
  const software = info.isFallbackAdapter || SOFTWARE.test(`${description} ${architecture}`);
  return { vendor, architecture, description, software, ...(matrices && { matrices }) };
}
