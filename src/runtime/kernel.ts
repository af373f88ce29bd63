import activation from "../../shaders/prelude/activation.wgsl";
import common from "../../shaders/prelude/common.wgsl";
import f16 from "../../shaders/prelude/f16.wgsl";
import f16x4 from "../../shaders/prelude/f16x4.wgsl";
import f32 from "../../shaders/prelude/f32.wgsl";
import f32x4 from "../../shaders/prelude/f32x4.wgsl";
import philox from "../../shaders/prelude/philox.wgsl";
import rows from "../../shaders/prelude/rows.wgsl";
import u32 from "../../shaders/prelude/u32.wgsl";
import u32x4 from "../../shaders/prelude/u32x4.wgsl";
import { UsageError } from "./errors.ts";
import type { WgslBinding, WgslModule, WgslParam } from "./wgsl.ts";

const PRELUDES = { f16, f16x4, f32, f32x4, u32, u32x4 };
const DEFAULT_WORKGROUP_SIZE = 64;

/** Element type of a kernel's tensors: a scalar, or a vector of four. */
export type Element = keyof typeof PRELUDES;

/** A kernel to compile. Equal specs share a pipeline. */
export interface KernelSpec {
  readonly module: WgslModule;
  readonly entryPoint: string;
  readonly element: Element;
  /** Pipeline-overridable constants. A name that the WGSL does not declare is an error. */
  readonly constants?: Readonly<Record<string, number | boolean>>;
}

/** A compiled entry point and its interface in the WGSL. */
export interface Kernel {
  readonly id: number;
  readonly spec: KernelSpec;
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly bindings: readonly WgslBinding[];
  readonly params: readonly WgslParam[];
  readonly workgroupSize: number;
}

let nextId = 0;

const ENABLE = /^enable .*\n/gm;

/**
 * The complete WGSL: `enable` directives, which must come first, then the element prelude, common preludes and the
 * kernel file, unmodified.
 */
export function wgslOf(module: WgslModule, element: Element): string {
  const text = [PRELUDES[element].code, common.code, philox.code, activation.code, rows.code, module.code].join("\n");
  return [...(text.match(ENABLE) ?? []), text.replace(ENABLE, "")].join("");
}

/** A kernel's name in errors and profiles, also its key: "grid_sample.forward<f32x4, ALIGN_CORNERS=true>". */
export function labelOf({ module, entryPoint, element, constants = {} }: KernelSpec): string {
  const settings = [element, ...Object.entries(constants).map(([name, value]) => `${name}=${value}`)];
  return `${module.name}.${entryPoint}<${settings.join(", ")}>`;
}

/** A kernel without its pipeline, and the data to create that. */
export interface KernelParts {
  readonly interface: Omit<Kernel, "pipeline">;
  readonly descriptor: GPUComputePipelineDescriptor;
}

/** @throws UsageError for an entry point or override that the WGSL does not declare */
export function kernelParts(
  device: GPUDevice,
  spec: KernelSpec,
  paramsLayout: GPUBindGroupLayout,
  moduleOf: (spec: KernelSpec) => GPUShaderModule,
): KernelParts {
  const { module, entryPoint, constants = {} } = spec;
  const label = labelOf(spec);
  const bindings = module.entryPoints[entryPoint];
  if (!bindings) {
    throw new UsageError(`${label}: no such entry point; the WGSL has ${Object.keys(module.entryPoints).join(", ")}`);
  }
  const overrides = [...module.overrides, ...common.overrides, ...activation.overrides, ...rows.overrides];
  for (const name of Object.keys(constants)) {
    if (overrides.includes(name)) continue;
    throw new UsageError(`${label}: no override ${name}; the WGSL has ${overrides.join(", ")}`);
  }
  const layout = device.createBindGroupLayout({
    label,
    entries: bindings.map(({ binding, access }) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === "read" ? "read-only-storage" : "storage" },
    })),
  });
  const workgroupSize = Number(constants["WORKGROUP_SIZE"] ?? DEFAULT_WORKGROUP_SIZE);
  return {
    interface: { id: nextId++, spec, label, layout, bindings, params: module.params, workgroupSize },
    descriptor: {
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout, paramsLayout] }),
      compute: {
        module: moduleOf(spec),
        entryPoint,
        constants: Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, Number(value)])),
      },
    },
  };
}
