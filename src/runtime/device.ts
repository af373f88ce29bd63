import type { BufferPart } from "./bind_groups.ts";
import { dispose } from "./disposal.ts";
import { DryRun } from "./dry_run.ts";
import { createEngine, type Engine } from "./engine.ts";
import { ReleasedError, type DeviceLostError } from "./errors.ts";
import { idleGpu, type IdleGpu } from "./idle_gpu.ts";
import type { Kernel, KernelSpec } from "./kernel.ts";
import { Lifetimes, type MemoryPlan } from "./lifetimes.ts";
import { Live } from "./live.ts";
import type { Allocation, MemoryUse, Scope, ScopeOptions } from "./pool.ts";
import type { KernelTime, TracedDispatch, Work } from "./profiler.ts";
import type { Program } from "./program.ts";
import type { Counters, Workgroups } from "./queue.ts";
import { createProgramMemory, Recording } from "./recording.ts";
import type { Target } from "./target.ts";
import { keepResults } from "./tidy.ts";
import { Tuner } from "./tuner.ts";

const NO_WORK: Work = { bytes: 0, operations: 0 };
const UNNAMED: AdapterDescription = { vendor: "", architecture: "", description: "", software: false };

/** What the adapter says of itself. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** Whether a CPU plays the GPU: correct results, low speed. */
  readonly software: boolean;
  /**
   * Invocations of its largest subgroup, where subgroups multiply matrices of 16 x 16 (f16, summed in f32). Default:
   * they do not.
   */
  readonly matrixLanes?: number;
}

/** How `capture` goes about it. */
export interface CaptureOptions {
  /**
   * A program, not released, whose memory this one shall use too: a run of either overwrites what the other made, but
   * for its results. Default: none.
   */
  readonly beside?: Program | null;
  /**
   * Run `f` once more before, as a dry run, to find out how long each tensor is needed, and let tensors that are not
   * needed at the same time share their storage. Nothing but tensors may be changed by `f`. Default false.
   */
  readonly lean?: boolean;
}

/**
 * The one owner of a GPUDevice: compiles, allocates, records and submits. Errors of the GPU are never only logged: they
 * are kept, and thrown by the next call that talks to the GPU.
 */
export class Device implements Disposable {
  readonly gpu: GPUDevice;
  readonly adapter: AdapterDescription;
  /** Chooses between forms of a kernel. */
  readonly tuner: Tuner;
  /** Resolves when the device is gone, with the reason. */
  readonly lost: Promise<DeviceLostError>;
  readonly #engine: Engine;
  #target: Target;

  constructor(gpu: GPUDevice, adapter: AdapterDescription = UNNAMED, tuner = new Tuner()) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.tuner = tuner;
    this.#engine = createEngine(gpu);
    this.#target = new Live(this.#engine);
    this.lost = this.#engine.failures.lost;
  }

  /** The most bytes of one tensor that a dispatch can see. */
  get maxBindingBytes(): number {
    return Math.min(this.gpu.limits.maxStorageBufferBindingSize, this.gpu.limits.maxBufferSize);
  }

  /** Whether `capture` is running. */
  get isCapturing(): boolean {
    return this.#target.isCapturing;
  }

  /** Whether work runs as a dry run, to find out what it takes: inside `prepare`, and ahead of a lean `capture`. */
  get isDryRun(): boolean {
    return this.#target.isDryRun;
  }

  /** The compiled kernel of a spec; compiled at the first call. */
  kernel(spec: KernelSpec): Kernel {
    return this.#target.kernel(spec);
  }

  /**
   * Compiles the kernels that `f` dispatches, in parallel, unless they are there already. To find out which, `f` is run
   * as a dry run: nothing happens on the GPU, tensors that it makes are worth nothing, and it must change nothing that
   * outlives it.
   * @throws what `f` throws
   */
  async prepare(f: () => unknown): Promise<void> {
    this.#engine.failures.check();
    const idle = createEngine(idleGpu(this.gpu).gpu);
    this.#with(new DryRun(idle), f);
    await this.#engine.pipelines.prepare(idle.pipelines.specs);
  }

  /**
   * A device like this one on which nothing happens, and where all that is read back is 0: what runs on it shows what
   * it would take. `held` are the bytes of all its buffers, now and at most.
   */
  dryRun(): { readonly device: Device; readonly held: IdleGpu["held"] } {
    const { gpu, held } = idleGpu(this.gpu);
    return { device: new Device(gpu, this.adapter), held };
  }

  /** Workgroups covering `invocations`, folded into y where x alone is too small. */
  workgroups(invocations: number, perWorkgroup: number): Workgroups {
    const total = Math.ceil(invocations / perWorkgroup);
    const y = Math.max(1, Math.ceil(total / this.gpu.limits.maxComputeWorkgroupsPerDimension));
    return [Math.ceil(total / y), y];
  }

  /** A storage buffer of at least `bytes`. Its contents are whatever the last user left there. */
  allocate(bytes: number): Allocation {
    return this.#target.allocate(bytes);
  }

  /** Gives storage back to the pool: what was recorded before still sees it. */
  release(allocation: Allocation): void {
    this.#target.release(allocation);
  }

  /** Opens a scope: what is allocated until it closes is released then, except what is kept. See `Scope`. */
  scope(options?: ScopeOptions): Scope {
    return this.#target.scope(options);
  }

  /**
   * Runs `f` and releases every tensor that it made, except those it returns: a tensor, or tensors in arrays, plain
   * objects, maps and sets.
   * @throws UsageError if `f` returns a promise: tensors must not be made across an `await`
   */
  tidy<T>(f: () => T): T {
    using scope = this.scope();
    return keepResults(scope, f());
  }

  /** Gives the storage that is lent to nobody back to the GPU, where work that needed much is done. */
  trim(): void {
    this.#target.trim();
  }

  /** What is allocated at present. */
  memory(): MemoryUse {
    return this.#engine.memory.use();
  }

  /** What was done so far. */
  counters(): Counters {
    return { ...this.#engine.tally };
  }

  /**
   * Runs `f` once and notes what it sends to the GPU, to do it again without running `f`: the same kernels with the
   * same params on the same buffers, to the same bits as `f` would, except for commands on which no kept tensor and no
   * tensor from outside depends, which are dropped. Tensors from outside are read where they are: write new contents
   * into them before a run. Tensors made inside stay the program's.
   *
   * @throws UsageError where `f` reads back, releases a tensor from outside, or captures; ReleasedError if `beside` was
   * released
   */
  capture<T>(f: () => T, options: CaptureOptions = {}): { readonly program: Program; readonly result: T } {
    const { beside = null, lean = false } = options;
    const { isDryRun } = this;
    const engine = this.#target.captureOn();
    if (beside && !engine.memory.has(beside.memory)) {
      throw new ReleasedError("capture: the program beside was released; capture without it, or release it later");
    }
    const plan = lean ? this.#planOf(f) : null;
    const recording = new Recording(engine, beside?.memory ?? createProgramMemory(engine), { plan, isDryRun });
    try {
      const result = this.#with(recording, f);
      return { program: recording.finish((program) => this.#target.run(program)), result };
    } catch (error) {
      recording.abandon();
      throw error;
    }
  }

  /**
   * Records one dispatch. `buffers` and `params` must name exactly what the WGSL declares.
   * @param work for `trace`
   * @throws UsageError for a name that the WGSL does not declare or a missing one; OptionError for a param out of range
   */
  dispatch(
    kernel: Kernel,
    buffers: Record<string, BufferPart>,
    params: Record<string, number>,
    workgroups: Workgroups,
    work = NO_WORK,
  ): void {
    this.#target.dispatch(kernel, buffers, params, workgroups, work);
  }

  /** Writes `data` into a buffer at `offset`, a multiple of four, after everything recorded so far. */
  write(buffer: GPUBuffer, data: ArrayBufferView, offset = 0): void {
    this.#target.write(buffer, data, offset);
  }

  /** Sets the first `bytes` (a multiple of four) of a buffer to zero, after everything recorded so far. */
  clear(buffer: GPUBuffer, bytes: number): void {
    this.#target.clear(buffer, bytes);
  }

  /** Copies `bytes` (a multiple of four) from one buffer to another, after everything recorded so far. */
  copy(source: GPUBuffer, from: number, destination: GPUBuffer, to: number, bytes: number): void {
    this.#target.copy(source, from, destination, to, bytes);
  }

  /** Sends what was recorded to the GPU. */
  submit(): void {
    this.#target.submit();
  }

  /**
   * The first `bytes` of a buffer as they are after everything recorded so far. The buffer may be released at once.
   * @throws UsageError inside `capture` and `prepare`
   */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    return this.#target.read(buffer, bytes);
  }

  /** Lists what `run` dispatches, in order, whether by a program or anew, and what each dispatch cannot do without. */
  async trace(run: () => void | Promise<void>): Promise<readonly TracedDispatch[]> {
    return this.#engine.queue.trace(run);
  }

  /**
   * Times every dispatch that `run` records, by itself; see `Profiler` for what that distorts.
   * @returns GPU time by kernel, most first
   * @throws UnsupportedError if the device has no timestamps
   */
  async profile(run: () => void | Promise<void>): Promise<KernelTime[]> {
    return this.#engine.queue.profile(run);
  }

  /** Waits until every error that is already under way has arrived, and throws it. */
  async settle(): Promise<void> {
    return this.#engine.failures.settle();
  }

  /** Waits for all work sent so far. */
  async finish(): Promise<void> {
    return this.#engine.queue.finish();
  }

  /** Gives the GPU back. Every later call throws DeviceLostError. */
  destroy(): void {
    this.gpu.destroy();
    this.#engine.failures.destroyed();
  }

  /** The same as `destroy`, for `using`. */
  [dispose](): void {
    this.destroy();
  }

  /** Runs `f` with every call going to `target`. */
  #with<T>(target: Target, f: () => T): T {
    const outer = this.#target;
    this.#target = target;
    try {
      return f();
    } finally {
      this.#target = outer;
    }
  }

  /** Where the allocations of `f` shall go: runs it once as a dry run in which each has a buffer of its own. */
  #planOf(f: () => unknown): MemoryPlan {
    const engine = createEngine(idleGpu(this.gpu).gpu);
    const lifetimes = new Lifetimes();
    const recording = new Recording(engine, createProgramMemory(engine, false), { lifetimes, isDryRun: true });
    this.#with(recording, f);
    const held = recording.held();
    return lifetimes.plan((buffer) => held.has(buffer));
  }
}
