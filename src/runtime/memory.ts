import type { BindGroups } from "./bind_groups.ts";
import type { Failures } from "./failures.ts";
import { BufferPool, type Allocation, type MemoryUse } from "./pool.ts";

/** Buffers, and their bind groups, of programs that run one at a time. */
export interface ProgramMemory {
  readonly pool: BufferPool;
  readonly groups: BindGroups;
  /** Buffers that all programs share for tensors needed only during a run. */
  readonly shared: Allocation[];
}

/** All storage buffers of a device: the pool of tensors, and the memory of each set of programs. */
export class Memory {
  readonly pool: BufferPool;
  readonly #gpu: GPUDevice;
  readonly #failures: Failures;
  readonly #programs = new Map<ProgramMemory, number>(); // number of programs by memory

  constructor(gpu: GPUDevice, failures: Failures) {
    this.#gpu = gpu;
    this.#failures = failures;
    this.pool = this.createPool();
  }

  /** @param reuses true if a buffer may be lent more than once */
  createPool(reuses = true): BufferPool {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const create = (size: number): GPUBuffer => {
      const words = `allocating ${size} bytes`;
      return this.#failures.guard(words, ["out-of-memory"], () => this.#gpu.createBuffer({ size, usage }));
    };
    return new BufferPool(create, this.#gpu.limits.maxBufferSize, reuses);
  }

  /** Counts one more program that uses `memory`. */
  enter(memory: ProgramMemory): void {
    this.#programs.set(memory, (this.#programs.get(memory) ?? 0) + 1);
  }

  /**
   * Counts one fewer program; with the last one, the buffers are destroyed. Commands that use them must have been
   * submitted.
   */
  leave(memory: ProgramMemory): void {
    const left = this.#programs.get(memory)! - 1;
    if (left > 0) this.#programs.set(memory, left);
    else {
      this.#programs.delete(memory);
      memory.pool.destroy();
    }
  }

  /** True if a program that uses `memory` is left. */
  has(memory: ProgramMemory): boolean {
    return this.#programs.has(memory);
  }

  use(): MemoryUse {
    const uses = [this.pool, ...[...this.#programs.keys()].map(({ pool }) => pool)].map((pool) => pool.use());
    const sum = (field: keyof MemoryUse): number => uses.reduce((total, use) => total + use[field], 0);
    return {
      bytes: sum("bytes"),
      allocations: sum("allocations"),
      peakBytes: sum("peakBytes"),
      freeBytes: sum("freeBytes"),
      buffersCreated: sum("buffersCreated"),
    };
  }
}
