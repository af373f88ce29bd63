/** A GPUDevice that executes nothing, and the memory requested from it. */
export interface IdleGpu {
  readonly gpu: GPUDevice;
  /** Bytes of all buffers created and not destroyed, now and at peak. */
  readonly held: { readonly bytes: number; readonly peakBytes: number };
}

const NOTHING = (): undefined => undefined;

/**
 * A stand-in for `real` with its limits and features: buffers take no memory, commands are dropped, and reads return 0.
 * Shows what work would need.
 */
export function idleGpu({ limits, features }: GPUDevice): IdleGpu {
  const held = { bytes: 0, peakBytes: 0 };
  const createBuffer = ({ size }: GPUBufferDescriptor): object => {
    held.bytes += size;
    held.peakBytes = Math.max(held.peakBytes, held.bytes);
    let left = size;
    const destroy = (): void => {
      held.bytes -= left;
      left = 0;
    };
    const getMappedRange = (): ArrayBuffer => new ArrayBuffer(size);
    return { size, destroy, unmap: NOTHING, mapAsync: () => Promise.resolve(), getMappedRange };
  };
  const pass = { setPipeline: NOTHING, setBindGroup: NOTHING, dispatchWorkgroups: NOTHING, end: NOTHING };
  const beginComputePass = (): object => pass;
  const encoder = { beginComputePass, clearBuffer: NOTHING, copyBufferToBuffer: NOTHING, finish: () => ({}) };
  const gpu = {
    limits,
    features,
    lost: new Promise(NOTHING),
    addEventListener: NOTHING,
    pushErrorScope: NOTHING,
    popErrorScope: () => Promise.resolve(null),
    createBuffer,
    createBindGroupLayout: () => ({}),
    createBindGroup: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({}),
    createComputePipeline: () => ({}),
    createComputePipelineAsync: () => Promise.resolve({}),
    createCommandEncoder: () => encoder,
    queue: { writeBuffer: NOTHING, submit: NOTHING, onSubmittedWorkDone: () => Promise.resolve() },
    destroy: NOTHING,
  };
  return { gpu: gpu as unknown as GPUDevice, held };
}
