import type { BindGroups, Buffers } from "./bind_groups.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { Kernel, KernelSpec } from "./kernel.ts";
import type { Allocation, BufferPool, Scope, ScopeOptions } from "./pool.ts";
import type { Work } from "./profiler.ts";
import type { Program } from "./program.ts";
import type { Workgroups } from "./queue.ts";
import type { Target } from "./target.ts";

/** A target that sends everything to the GPU. */
export class Live implements Target {
  readonly isCapturing: boolean = false;
  readonly isDryRun: boolean = false;
  protected readonly engine: Engine;
  /** Source of tensors and bind groups. */
  protected readonly pool: BufferPool;
  protected readonly groups: BindGroups;

  constructor(engine: Engine, pool: BufferPool = engine.memory.pool, groups: BindGroups = engine.groups) {
    this.engine = engine;
    this.pool = pool;
    this.groups = groups;
  }

  kernel(spec: KernelSpec): Kernel {
    return this.engine.pipelines.kernel(spec);
  }

  allocate(bytes: number): Allocation {
    this.engine.failures.check();
    return this.pool.allocate(bytes);
  }

  release(allocation: Allocation): void {
    this.pool.release(allocation); // only the program releases what it owns
  }

  scope(options?: ScopeOptions): Scope {
    return this.pool.scope(options);
  }

  trim(): void {
    this.engine.queue.flush();
    this.engine.memory.pool.trim();
    this.engine.groups.clear(); // cached groups may bind destroyed buffers
  }

  dispatch(
    kernel: Kernel,
    buffers: Buffers,
    params: Readonly<Record<string, number>>,
    workgroups: Workgroups,
    work: Work,
  ): void {
    this.engine.failures.check();
    if (workgroups[0] * workgroups[1] === 0) return;
    requireSameNames(kernel, "binding", buffers, kernel.bindings);
    requireSameNames(kernel, "param", params, kernel.params);
    this.send(kernel, this.groups.of(kernel, buffers), buffers, params, workgroups, work);
  }

  /** Records a dispatch whose arguments have been checked. */
  protected send(
    kernel: Kernel,
    group: GPUBindGroup,
    _buffers: Buffers,
    params: Readonly<Record<string, number>>,
    workgroups: Workgroups,
    work: Work,
  ): void {
    this.engine.queue.dispatch(kernel, group, params, workgroups, work);
  }

  clear(buffer: GPUBuffer, bytes: number): void {
    this.engine.queue.clear(buffer, bytes);
  }

  copy(source: GPUBuffer, from: number, destination: GPUBuffer, to: number, bytes: number): void {
    this.engine.queue.copy(source, from, destination, to, bytes);
  }

  write(buffer: GPUBuffer, data: ArrayBufferView, offset: number): void {
    this.engine.queue.write(buffer, data, offset);
  }

  submit(): void {
    this.engine.queue.submit();
  }

  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    return this.engine.queue.read(buffer, bytes);
  }

  run(program: Program): void {
    this.engine.failures.check();
    program.encode(this.engine.queue);
  }

  captureOn(): Engine {
    return this.engine;
  }
}

function requireSameNames(
  kernel: Kernel,
  what: string,
  got: Readonly<Record<string, unknown>>,
  declared: readonly { readonly name: string }[],
): void {
  const given = Object.keys(got);
  if (given.length === declared.length && declared.every(({ name }) => name in got)) return;
  const names = declared.map(({ name }) => name);
  const problems = [
    ...names.filter((name) => !(name in got)).map((name) => `missing ${what} ${name}`),
    ...given.filter((name) => !names.includes(name)).map((name) => `unknown ${what} ${name}`),
  ];
  throw new UsageError(`${kernel.label}: ${problems.join(", ")}; the WGSL has ${names.join(", ")}`);
}
