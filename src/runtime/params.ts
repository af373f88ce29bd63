import type { Kernel } from "./kernel.ts";
import { OptionError } from "./errors.ts";

/** Bytes per dispatch for its params. WebGPU's minUniformBufferOffsetAlignment is at most this. */
export const PARAM_SLOT_BYTES = 256;

/** The layout of bind group 1 of every kernel: one uniform whose slot is a dynamic offset. */
export const createParamsLayout = (gpu: GPUDevice): GPUBindGroupLayout =>
  gpu.createBindGroupLayout({
    label: "params",
    entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } }],
  });

/** A uniform buffer of several slots, and a bind group that binds one slot at a time. */
export interface ParamSlots {
  readonly buffer: GPUBuffer;
  readonly group: GPUBindGroup;
}

export function createParamSlots(gpu: GPUDevice, layout: GPUBindGroupLayout, bytes: number): ParamSlots {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = gpu.createBuffer({ label: "params", size: bytes, usage });
  const entries = [{ binding: 0, resource: { buffer, size: PARAM_SLOT_BYTES } }];
  return { buffer, group: gpu.createBindGroup({ layout, entries }) };
}

/**
 * Writes a kernel's params into its slot, in the layout of the WGSL's struct.
 * @throws OptionError for a value that the param's type cannot hold
 */
export function writeParams(view: DataView, kernel: Kernel, params: Readonly<Record<string, number>>): void {
  for (const { name, offset, type } of kernel.params) {
    const value = params[name]!;
    if (type === "f32") view.setFloat32(offset, value, true);
    else if (type === "i32" ? value === (value | 0) : value === value >>> 0) view.setUint32(offset, value, true);
    else throw new OptionError(`${kernel.label}: param ${name} is ${value}, which is not a ${type}`);
  }
}
