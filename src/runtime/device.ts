import type { BufferPart } from "./bind_groups.ts";
import { dispose } from "./disposal.ts";
import { DryRun } from "./dry_run.ts";
import { createEngine, type Engine } from "./engine.ts";
import { ReleasedError, type DeviceLostError } from "./errors.ts";
import { idleGpu, type IdleGpu } from "./idle_gpu.ts";
import type { Kernel, KernelSpec } from "./kernel.ts";
import { Lifetimes, type MemoryPlan } from "./lifetimes.ts";
import { Live } from "./live.ts";
import type { MatrixUnits } from "./matrices.ts";
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

/** The adapter's description of itself. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** True for a software adapter (CPU): correct results, low speed. */
  readonly software: boolean;
  /** Units with which its subgroups multiply matrices. Default: none. */
  readonly matrices?: MatrixUnits;
}

/** Options of `capture`. */
export interface CaptureOptions {
  /**
   * A program, not released, whose memory the new program shares: a run of either overwrites the other's tensors,
   * except its results. Default: none.
   */
  readonly beside?: Program | null;
  /**
   * Run `f` once more beforehand, as a dry run, to find each tensor's lifetime, and let tensors with disjoint lifetimes
   * share storage. `f` may change nothing but tensors. A plan of `planCapture` for the same work stands for that run.
   * Default false.
   */
  readonly lean?: boolean | CapturePlan;
}

/** The memory of work that is to be captured, found ahead. */
export interface CapturePlan {
  /** @internal */
  readonly memory: MemoryPlan;
  /** Choices of forms that had been measured: others may allocate otherwise. @internal */
  readonly choices: number;
}

/**
 * The one owner of a GPUDevice: compiles, allocates, records and submits. GPU errors are never just logged: they are
 * kept, and the next call that talks to the GPU throws them.
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

  /** Largest part of a tensor that a dispatch can bind, in bytes. */
  get maxBindingBytes(): number {
    return Math.min(this.gpu.limits.maxStorageBufferBindingSize, this.gpu.limits.maxBufferSize);
  }

  /** True while `capture` runs. */
  get isCapturing(): boolean {
    return this.#target.isCapturing;
  }

  /** True during a dry run: inside `prepare`, and in the first run of a lean `capture`. */
  get isDryRun(): boolean {
    return this.#target.isDryRun;
  }

  /** The compiled kernel of a spec; the first call compiles it. */
  kernel(spec: KernelSpec): Kernel {
    return this.#target.kernel(spec);
  }

  /**
   * Compiles the kernels that `f` dispatches, in parallel, unless they are compiled already. `f` is run as a dry run to
   * list them: nothing happens on the GPU, the contents of its tensors are undefined, and it must not change anything
   * that outlives it.
   * @throws what `f` throws
   */
  async prepare(f: () => unknown): Promise<void> {
    this.#engine.failures.check();
    const idle = createEngine(idleGpu(this.gpu).gpu);
    this.#with(new DryRun(idle), f);
    await this.#engine.pipelines.prepare(idle.pipelines.specs);
  }

  /**
   * Compiles the kernels of work that a lean `capture` will record, as `prepare` does, and plans its memory in the same
   * dry run.
   * @param f the work, given tensors like those from outside that it will read
   * @param outside makes them, in the dry run
   */
  async planCapture<T>(f: (outside: T) => unknown, outside: () => T): Promise<CapturePlan> {
    this.#engine.failures.check();
    const { plan, specs } = this.#planned(f, outside);
    await this.#engine.pipelines.prepare(specs);
    return plan;
  }

  /**
   * A device like this one that executes nothing and reads back zeros, to measure what work would need. `held`: current
   * and peak bytes of all its buffers.
   */
  dryRun(): { readonly device: Device; readonly held: IdleGpu["held"] } {
    const { gpu, held } = idleGpu(this.gpu);
    return { device: new Device(gpu, this.adapter), held };
  }

  /** Number of workgroups that cover `invocations`; folded into y if x alone is too small. */
  workgroups(invocations: number, perWorkgroup: number): Workgroups {
    const total = Math.ceil(invocations / perWorkgroup);
    const y = Math.max(1, Math.ceil(total / this.gpu.limits.maxComputeWorkgroupsPerDimension));
    return [Math.ceil(total / y), y];
  }

  /** A storage buffer of at least `bytes`, with undefined contents. */
  allocate(bytes: number): Allocation {
    return this.#target.allocate(bytes);
  }

  /** Returns storage to the pool; work that is already recorded can still use it. */
  release(allocation: Allocation): void {
    this.#target.release(allocation);
  }

  /** Opens a scope: when it closes, everything allocated meanwhile is released unless kept. See `Scope`. */
  scope(options?: ScopeOptions): Scope {
    return this.#target.scope(options);
  }

  /**
   * Runs `f` and releases every tensor that it made except those it returns: a tensor, or tensors in arrays, plain
   * objects, maps and sets.
   * @throws UsageError if `f` returns a promise: tensors must not be made across an `await`
   */
  tidy<T>(f: () => T): T {
    using scope = this.scope();
    return keepResults(scope, f());
  }

  /** Destroys the pool's unused buffers, for example after work that needed much memory. */
  trim(): void {
    this.#target.trim();
  }

  /** Current memory use. */
  memory(): MemoryUse {
    return this.#engine.memory.use();
  }

  /** Counts of the work done so far. */
  counters(): Counters {
    return { ...this.#engine.tally };
  }

  /**
   * Runs `f` once and records its GPU commands, so that a program can repeat them without running `f`: same kernels,
   * params and buffers, and the same bits as `f` would give. Commands on which no kept tensor and no tensor from
   * outside depends are dropped. Tensors from outside are read in place: write new contents into them before a run. The
   * program owns the tensors made inside.
   *
   * @throws UsageError if `f` reads back, releases a tensor from outside, or captures; ReleasedError if `beside` was
   *   released
   */
  capture<T>(f: () => T, options: CaptureOptions = {}): { readonly program: Program; readonly result: T } {
    const { beside = null, lean = false } = options;
    const { isDryRun } = this;
    const engine = this.#target.captureOn();
    if (beside && !engine.memory.has(beside.memory)) {
      throw new ReleasedError("capture: the program beside was released; capture without it, or release it later");
    }
    const plan = lean === false ? null : this.#isCurrent(lean) ? lean : this.#planned(f, () => undefined).plan;
    const recording = new Recording(engine, beside?.memory ?? createProgramMemory(engine), {
      plan: plan?.memory ?? null,
      isDryRun,
    });
    try {
      const result = this.#with(recording, f);
      return { program: recording.finish((program) => this.#target.run(program)), result };
    } catch (error) {
      recording.abandon();
      throw error;
    }
  }

  /**
   * Records one dispatch. `buffers` and `params` must have exactly the names that the WGSL declares.
   * @param work cost of the dispatch, for `trace`
   * @throws UsageError for a missing or undeclared name; OptionError for a param out of range
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

  /** Writes `data` into a buffer at `offset` (bytes, a multiple of four), after everything recorded so far. */
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

  /** Submits the recorded commands to the GPU. */
  submit(): void {
    this.#target.submit();
  }

  /**
   * Reads the first `bytes` of a buffer, as they are after everything recorded so far. The buffer may be released at
   * once.
   * @throws UsageError inside `capture` and `prepare`
   */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    return this.#target.read(buffer, bytes);
  }

  /** Lists the dispatches of `run` in order, by programs or directly, with the minimum cost of each. */
  async trace(run: () => void | Promise<void>): Promise<readonly TracedDispatch[]> {
    return this.#engine.queue.trace(run);
  }

  /**
   * Times every dispatch that `run` records, one by one; see `Profiler` for the distortion.
   * @returns GPU time by kernel, largest first
   * @throws UnsupportedError if the device has no timestamps
   */
  async profile(run: () => void | Promise<void>): Promise<KernelTime[]> {
    return this.#engine.queue.profile(run);
  }

  /** Waits until every error that is already under way has arrived, and throws the first one. */
  async settle(): Promise<void> {
    return this.#engine.failures.settle();
  }

  /** Waits until the GPU has finished all submitted work. */
  async finish(): Promise<void> {
    return this.#engine.queue.finish();
  }

  /** Releases the GPU. Every later call throws DeviceLostError. */
  destroy(): void {
    this.gpu.destroy();
    this.#engine.failures.destroyed();
  }

  /** The same as `destroy`, for `using`. */
  [dispose](): void {
    this.destroy();
  }

  /** Runs `f` with every call directed to `target`. */
  #with<T>(target: Target, f: () => T): T {
    const outer = this.#target;
    this.#target = target;
    try {
      return f();
    } finally {
      this.#target = outer;
    }
  }

  /** Plans memory for the allocations of `f`: runs it once as a dry run in which each has its own buffer. */
  #planned<T>(f: (outside: T) => unknown, outside: () => T) {
    const engine = createEngine(idleGpu(this.gpu).gpu);
    const tensors = this.#with(new DryRun(engine), outside);
    const lifetimes = new Lifetimes();
    const recording = new Recording(engine, createProgramMemory(engine, false), { lifetimes, isDryRun: true });
    this.#with(recording, () => f(tensors));
    const held = recording.held();
    const plan: CapturePlan = {
      memory: lifetimes.plan((buffer) => held.has(buffer)),
      choices: this.tuner.choices.size,
    };
    return { plan, specs: engine.pipelines.specs };
  }

  #isCurrent(lean: true | CapturePlan): lean is CapturePlan {
    return lean !== true && lean.choices === this.tuner.choices.size;
  }
}
