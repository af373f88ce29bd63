import type { Buffers } from "./bind_groups.ts";
import type { Engine } from "./engine.ts";
import type { Kernel, KernelSpec } from "./kernel.ts";
import type { Allocation, Scope, ScopeOptions } from "./pool.ts";
import type { Work } from "./profiler.ts";
import type { Program } from "./program.ts";
import type { Workgroups } from "./queue.ts";

/**
 * Destination of the calls of a `Device`: the GPU (`Live`), the GPU and a program (`Recording`), or nothing (`DryRun`).
 * `Device` documents the methods.
 */
export interface Target {
  readonly isCapturing: boolean;
  readonly isDryRun: boolean;
  kernel(spec: KernelSpec): Kernel;
  allocate(bytes: number): Allocation;
  release(allocation: Allocation): void;
  scope(options?: ScopeOptions): Scope;
  trim(): void;
  dispatch(
    kernel: Kernel,
    buffers: Buffers,
    params: Readonly<Record<string, number>>,
    workgroups: Workgroups,
    work: Work,
  ): void;
  clear(buffer: GPUBuffer, bytes: number): void;
  copy(source: GPUBuffer, from: number, destination: GPUBuffer, to: number, bytes: number): void;
  write(buffer: GPUBuffer, data: ArrayBufferView, offset: number): void;
  submit(): void;
  read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer>;
  run(program: Program): void;
  /**
   * The engine for a capture that begins now.
   * @throws UsageError if a capture is running
   */
  captureOn(): Engine;
}
