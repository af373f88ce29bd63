import { Device, type AdapterDescription } from "./device.ts";
import { AdapterError } from "./errors.ts";
import { Tuner, type TuningStore } from "./tuner.ts";
import { VERSION } from "./version.ts";

const MATRICES = "chromium-experimental-subgroup-matrix" as GPUFeatureName;

// Used where present; nothing depends on them.
const WANTED_FEATURES: readonly GPUFeatureName[] = ["shader-f16", "timestamp-query", MATRICES];

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render/i;

const MOST_LANES = 256; // of a workgroup, by default

// Only sizes of memory are raised above WebGPU's defaults: every kernel fits the default of every other limit.
const RAISED_LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;

/** What a device was asked for and what the adapter could have given. */
export interface AdapterReport {
  readonly adapter: AdapterDescription;
  readonly features: readonly string[];
  readonly missing: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** What is asked of an adapter. */
export interface DeviceOptions {
  /** Ask for WebGPU's default limits and no features: what every WebGPU device can do. Default false. */
  readonly minimal?: boolean;
  /**
   * Measure the forms of kernels that have several, where a shape first comes up in training or inspecting, and use the
   * fastest; choices are kept for the next time. Results then differ in the last bits from those without, and until all
   * is measured from run to run. Default false: choices are fixed. See `tune`.
   */
  readonly autotune?: boolean;
}

/**
 * Asks `gpu` for an adapter and a device.
 * @param help what the user can do where there is no adapter
 * @param storeOf where choices of an adapter are kept, by what tells it from others: its names, its driver, this
 * library's version
 * @throws AdapterError if there is no adapter, or it refuses a device
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
      requiredFeatures: minimal ? [] : WANTED_FEATURES.filter((feature) => has(adapter, feature)),
      requiredLimits: minimal ? {} : Object.fromEntries(RAISED_LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
    return new Device(device, about, tuner);
  } catch (cause) {
    throw new AdapterError(`the adapter ${about.description} refused a device: ${(cause as Error).message}`, { cause });
  }
}

/**
 * What the adapter behind `gpu` is and can do.
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
    missing: WANTED_FEATURES.filter((feature) => !has(adapter, feature)),
    limits,
  };
}

async function requestAdapter(gpu: GPU, help: string): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new AdapterError(`no WebGPU adapter: ${help}`);
  return adapter;
}

interface MatrixInfo extends GPUAdapterInfo {
  readonly subgroupMatrixConfigs?: readonly Readonly<Record<string, unknown>>[];
}

// Of a product `[M, K] [K, N]`: its extents, what it multiplies, and what it sums in.
const MATRIX_CONFIG = Object.entries({ M: 16, N: 16, K: 16, componentType: "f16", resultComponentType: "f32" });

/** Invocations of the largest subgroup where subgroup matrices are as the kernel needs them; otherwise 0. */
function matrixLanes({ features, info }: GPUAdapter): number {
  const { subgroupMatrixConfigs = [], subgroupMaxSize = 0 }: MatrixInfo = info;
  const isFit = (config: Readonly<Record<string, unknown>>): boolean =>
    MATRIX_CONFIG.every(([name, value]) => config[name] === value);
  const isThere = features.has(MATRICES) && features.has("shader-f16") && [...subgroupMatrixConfigs].some(isFit);
  return isThere && subgroupMaxSize <= MOST_LANES ? subgroupMaxSize : 0;
}

const has = (adapter: GPUAdapter, feature: GPUFeatureName): boolean =>
  feature === MATRICES ? matrixLanes(adapter) > 0 : adapter.features.has(feature);

function describe(adapter: GPUAdapter, withFeatures = true): AdapterDescription {
  const { info } = adapter;
  const lanes = withFeatures ? matrixLanes(adapter) : 0;
  const description = info.description || info.device || info.architecture || "unnamed adapter";
  const { vendor, architecture } = info;
  const software = info.isFallbackAdapter || SOFTWARE.test(`${description} ${architecture}`);
  return { vendor, architecture, description, software, ...(lanes > 0 && { matrixLanes: lanes }) };
}
