import { DeviceLostError, GpuError, OutOfMemoryError } from "./errors.ts";
import { idleGpu, type IdleGpu } from "./idle_gpu.ts";
import { kernelParts, labelOf, wgslOf, type Kernel, type KernelParts, type KernelSpec } from "./kernel.ts";
import { Lifetimes, type MemoryPlan } from "./lifetimes.ts";
import { Profiler, type KernelTime, type TracedDispatch, type Work } from "./profiler.ts";
import { BufferPool, type Allocation, type MemoryUse, type Scope } from "./pool.ts";
import { PARAM_SLOT_BYTES, Program, Recording, type ProgramMemory } from "./program.ts";
import { Tuner } from "./tuner.ts";

const PARAM_SLOTS = 1024;
// Training the largest decoder takes 6253. On lavapipe each costs two or three memory mappings, of which Linux
// allows a process 65530: beyond them Mesa 25.0 crashes. Twice as many groups took 43000.
const MAX_BIND_GROUPS = 1 << 13;

const MAX_STAGING = 8;

const NO_WORK: Work = { bytes: 0, operations: 0 };

/** Number of workgroups along x and y. */
export type Workgroups = readonly [x: number, y: number];

/** A buffer bound whole, or the part of it that a dispatch may see. */
export type BufferPart = GPUBuffer | { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number };

/** What the adapter says of itself. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** A CPU pretending to be a GPU: right, and slow. */
  readonly software: boolean;
  /** Invocations of its largest subgroup, where subgroups multiply matrices of 16 x 16 (f16, summed in f32). Default: they do not. */
  readonly matrixLanes?: number;
}

/** How `capture` goes about it. */
export interface CaptureOptions {
  /**
   * A program, not released, whose memory this one shall use too: a run of either overwrites what the other made, but for its results.
   * Default: none.
   */
  readonly beside?: Program | null;
  /**
   * Run `f` once more before, where nothing happens, to find out how long each tensor is needed, and let tensors that are not needed at a
   * time share their storage. Nothing but tensors may be changed by `f`. Default false.
   */
  readonly lean?: boolean;
}

/** Work done since the device was made. */
export interface Counters {
  readonly dispatches: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly bytesUploaded: number;
  readonly bytesRead: number;
}

/**
 * The one owner of a GPUDevice: compiles, allocates, records and submits. Errors of the GPU are never only
 * logged: they are kept, and thrown by the next call that talks to the GPU.
 */
export class Device {
  readonly gpu: GPUDevice;
  readonly adapter: AdapterDescription;
  /** Chooses between forms of a kernel. */
  readonly tuner: Tuner;
  /** Resolves when the device is gone, with the reason. */
  readonly lost: Promise<DeviceLostError>;
  readonly #pool: BufferPool;
  readonly #kernels = new Map<string, Kernel>();
  readonly #staging: GPUBuffer[] = []; // the last that were read back through
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #bufferIds = new WeakMap<GPUBuffer, number>();
  readonly #paramsLayout: GPUBindGroupLayout;
  readonly #paramsBuffer: GPUBuffer;
  readonly #paramsGroup: GPUBindGroup;
  readonly #paramsHost = new ArrayBuffer(PARAM_SLOT_BYTES * PARAM_SLOTS);
  readonly #counters = { dispatches: 0, submits: 0, bindGroups: 0, bytesUploaded: 0, bytesRead: 0 };
  #nextBufferId = 0;
  #paramSlot = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #pendingScopes: Promise<void>[] = [];
  #failure: GpuError | DeviceLostError | null = null;
  #profiler: Profiler | null = null;
  #trace: TracedDispatch[] | null = null;
  #recording: Recording | null = null;
  #rehearsal: Device | null = null; // what stands in while `prepare` runs something
  readonly #programs = new Map<ProgramMemory, number>(); // how many programs have each

  constructor(gpu: GPUDevice, adapter: AdapterDescription = { vendor: "", architecture: "", description: "", software: false }, tuner = new Tuner()) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.tuner = tuner;
    const onError = (event: GPUUncapturedErrorEvent): void => {
      event.preventDefault();
      const { error } = event;
      const note = (): void => (error instanceof GPUOutOfMemoryError ? this.#ranOut(error.message) : void (this.#failure ??= new GpuError(error.message)));
      // It may follow from one that a scope has caught, which is told later: a buffer that could not be made cannot be bound.
      if (this.#pendingScopes.length === 0) note();
      else this.#pendingScopes.push(Promise.all(this.#pendingScopes).then(note));
    };
    gpu.addEventListener("uncapturederror", onError);
    this.lost = gpu.lost.then(({ reason, message }) => {
      const lost = new DeviceLostError(`the GPU device was lost (${reason}): ${message || "no further word"}; ask for a new device`);
      this.#failure = lost;
      // Dawn never collects a device that has a listener, nor its pipelines, buffers and threads.
      gpu.removeEventListener("uncapturederror", onError);
      for (const cache of [this.#kernels, this.#modules, this.#bindGroups]) cache.clear();
      return lost;
    });
    this.#pool = this.#newPool();
    this.#paramsLayout = gpu.createBindGroupLayout({
      label: "params",
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } }],
    });
    this.#paramsBuffer = gpu.createBuffer({
      label: "params",
      size: this.#paramsHost.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.#paramsGroup = gpu.createBindGroup({
      layout: this.#paramsLayout,
      entries: [{ binding: 0, resource: { buffer: this.#paramsBuffer, size: PARAM_SLOT_BYTES } }],
    });
  }

  /** The most bytes of one tensor that a dispatch can see. */
  get maxBindingBytes(): number {
    return Math.min(this.gpu.limits.maxStorageBufferBindingSize, this.gpu.limits.maxBufferSize);
  }

  /** The compiled kernel of a spec; compiled at the first call. */
  kernel(spec: KernelSpec): Kernel {
    if (this.#rehearsal) return this.#rehearsal.kernel(spec);
    this.#throwFailure();
    const key = labelOf(spec);
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = this.#checked(key, ["validation", "internal"], () => {
        const { interface: rest, descriptor } = this.#partsOf(spec);
        return { ...rest, pipeline: this.gpu.createComputePipeline(descriptor) };
      });
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }

  /**
   * Compiles the kernels that `f` dispatches, all at a time, unless they are there already. To find out which, `f` is run, with nothing
   * happening on the GPU: tensors that it makes are worth nothing, and it must change nothing that outlives it.
   * @throws what `f` throws
   */
  async prepare(f: () => unknown): Promise<void> {
    this.#throwFailure();
    const { device: idle } = this.rehearsal();
    this.#rehearse(idle, f);
    await Promise.all([...idle.#kernels.values()].map(({ spec }) => this.#prepareKernel(spec)));
  }

  /**
   * A device like this one on which nothing happens, and where all that is read back is 0: what runs on it shows what it would take. `held`
   * are the bytes of all its buffers, now and at most.
   */
  rehearsal(): { readonly device: Device; readonly held: IdleGpu["held"] } {
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
    if (this.#rehearsal) return this.#rehearsal.allocate(bytes);
    this.#throwFailure();
    return (this.#recording ?? this.#pool).allocate(bytes);
  }

  /** Gives storage back to the pool: what was recorded before still sees it. */
  release(allocation: Allocation): void {
    if (this.#rehearsal) return this.#rehearsal.release(allocation);
    if (!this.#recording) return this.#pool.release(allocation); // what a program owns, only the program gives back
    if (this.#pool.lends(allocation)) throw new Error("capture: a tensor from outside must not be released inside");
    this.#recording.pool.release(allocation);
  }

  /** Opens a scope: what is allocated until it closes is released then, except what is kept. See `Scope`. */
  scope(): Scope {
    return this.#rehearsal?.scope() ?? (this.#recording?.pool ?? this.#pool).scope();
  }

  /** Gives the storage that is lent to nobody back to the GPU, where work that needed much is done. */
  trim(): void {
    this.#send();
    this.#pool.trim();
    this.#bindGroups.clear(); // what they bind may be gone
  }

  /** What is allocated at present. */
  memory(): MemoryUse {
    const uses = [this.#pool, ...[...this.#programs.keys()].map(({ pool }) => pool)].map((pool) => pool.use());
    const sum = (field: keyof MemoryUse): number => uses.reduce((total, use) => total + use[field], 0);
    return {
      bytes: sum("bytes"),
      allocations: sum("allocations"),
      peakBytes: sum("peakBytes"),
      freeBytes: sum("freeBytes"),
      buffersCreated: sum("buffersCreated"),
    };
  }

  /** Whether something runs where nothing happens, to find out what it takes. */
  get isRehearsing(): boolean {
    return this.#rehearsal !== null;
  }

  /** Whether `capture` is running. */
  get isCapturing(): boolean {
    return this.#rehearsal?.isCapturing ?? this.#recording !== null;
  }

  /**
   * Runs `f` once and notes what it sends to the GPU, to do it again without running `f`: the same kernels with the same
   * params on the same buffers, to the same bits as `f` would, but for what neither a tensor from outside nor one that was kept
   * depends on. Tensors from outside are read where they are: write into them what is new. Tensors made inside stay the program's.
   *
   * @throws Error where `f` reads back, releases a tensor from outside, or captures
   */
  capture<T>(f: () => T, options: CaptureOptions = {}): { readonly program: Program; readonly result: T } {
    if (this.#rehearsal) return this.#rehearsal.capture(f, options);
    const { beside = null, lean = false } = options;
    if (this.#recording) throw new Error("capture: there is one going on already");
    if (beside && !this.#programs.has(beside.memory)) throw new Error("capture: the program beside was released");
    const plan = lean ? this.#planOf(f) : null;
    return this.#capture(f, new Recording(beside?.memory ?? { pool: this.#newPool(), groups: new Map(), shared: [] }, plan, null));
  }

  #capture<T>(f: () => T, recording: Recording): { readonly program: Program; readonly result: T } {
    this.#recording = recording;
    this.#programs.set(recording.memory, (this.#programs.get(recording.memory) ?? 0) + 1);
    try {
      const result = f();
      return { program: this.#programOf(recording), result };
    } catch (error) {
      this.#leave(recording.memory);
      throw error;
    } finally {
      this.#recording = null;
    }
  }

  /** What was done so far. */
  counters(): Counters {
    return { ...this.#counters };
  }

  /**
   * Records one dispatch. `buffers` and `params` must name exactly what the WGSL declares.
   * @param work for `trace`
   */
  dispatch(kernel: Kernel, buffers: Record<string, BufferPart>, params: Record<string, number>, [x, y]: Workgroups, work = NO_WORK): void {
    if (this.#rehearsal) return this.#rehearsal.dispatch(kernel, buffers, params, [x, y], work);
    this.#throwFailure();
    if (x * y === 0) return;
    requireSameNames(kernel, "binding", buffers, kernel.bindings);
    requireSameNames(kernel, "param", params, kernel.params);
    const offset = this.#writeParams(kernel, params);
    this.#pass ??= this.#beginPass(kernel.label);
    const group = this.#bindGroup(kernel, buffers);
    if (this.#recording) {
      const bound = kernel.bindings.map(({ name }) => resourceOf(buffers[name]!).buffer);
      this.#recording.dispatch(kernel, group, bound, new Uint8Array(this.#paramsHost, offset, PARAM_SLOT_BYTES), [x, y], work);
    }
    this.#pass.setPipeline(kernel.pipeline);
    this.#pass.setBindGroup(0, group);
    this.#pass.setBindGroup(1, this.#paramsGroup, [offset]);
    this.#pass.dispatchWorkgroups(x, y);
    this.#dispatched(kernel, work);
  }

  /** What `run` dispatches, in order, whether by a program or anew, and what each dispatch cannot do without. */
  async trace(run: () => void | Promise<void>): Promise<readonly TracedDispatch[]> {
    if (this.#trace) throw new Error("trace: there is one going on already");
    const trace = (this.#trace = []);
    try {
      await run();
    } finally {
      this.#trace = null;
    }
    return trace;
  }

  /**
   * Times every dispatch that `run` records, by itself; see `Profiler` for what that distorts.
   * @returns GPU time by kernel, most first
   * @throws GpuError if the device has no timestamps
   */
  async profile(run: () => void | Promise<void>): Promise<KernelTime[]> {
    if (!this.gpu.features.has("timestamp-query")) throw new GpuError("profiling needs the feature timestamp-query, which this device lacks");
    await this.finish();
    const profiler = (this.#profiler = new Profiler(this.gpu));
    try {
      await run();
      await this.finish();
    } finally {
      this.#profiler = null;
    }
    return profiler.totals();
  }

  /** Writes `data` into a buffer at `offset`, a multiple of four, after everything recorded so far. */
  write(buffer: GPUBuffer, data: ArrayBufferView, offset = 0): void {
    if (this.#rehearsal) return this.#rehearsal.write(buffer, data, offset);
    if (this.#recording) return this.copy(this.#constant(data), 0, buffer, offset, Math.ceil(data.byteLength / 4) * 4);
    this.submit();
    const { buffer: source, byteOffset, byteLength } = data;
    this.#counters.bytesUploaded += byteLength;
    const whole = byteLength - (byteLength % 4);
    if (whole > 0) this.gpu.queue.writeBuffer(buffer, offset, source, byteOffset, whole);
    if (whole === byteLength) return;
    const tail = new Uint8Array(4);
    tail.set(new Uint8Array(source, byteOffset + whole, byteLength - whole));
    this.gpu.queue.writeBuffer(buffer, offset + whole, tail);
  }

  /** Sets the first `bytes` (a multiple of four) of a buffer to zero, after everything recorded so far. */
  clear(buffer: GPUBuffer, bytes: number): void {
    if (this.#rehearsal) return this.#rehearsal.clear(buffer, bytes);
    this.#throwFailure();
    this.#recording?.clear(buffer, bytes);
    this.#endPass().clearBuffer(buffer, 0, bytes);
  }

  /** Copies `bytes` (a multiple of four) from one buffer to another, after everything recorded so far. */
  copy(source: GPUBuffer, sourceOffset: number, destination: GPUBuffer, destinationOffset: number, bytes: number): void {
    if (this.#rehearsal) return this.#rehearsal.copy(source, sourceOffset, destination, destinationOffset, bytes);
    this.#throwFailure();
    this.#recording?.copy(source, sourceOffset, destination, destinationOffset, bytes);
    this.#endPass().copyBufferToBuffer(source, sourceOffset, destination, destinationOffset, bytes);
  }

  /** Runs `record` in a pass of its own between two GPU timestamps; resolves to nanoseconds. */
  async time(record: () => void): Promise<number> {
    this.submit();
    const querySet = this.gpu.createQuerySet({ type: "timestamp", count: 2 });
    const resolved = this.gpu.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.#encoder = this.gpu.createCommandEncoder();
    this.#pass = this.#encoder.beginComputePass({
      timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    });
    record();
    this.#endPass().resolveQuerySet(querySet, 0, 2, resolved, 0);
    const [begin, end] = new BigUint64Array(await this.read(resolved, 16));
    querySet.destroy();
    resolved.destroy();
    return Number(end! - begin!);
  }

  /** Sends what was recorded to the GPU. */
  submit(): void {
    if (this.#rehearsal) return;
    this.#throwFailure();
    this.#send();
  }

  /** Sends what was recorded, unless the device is gone. It throws nothing: what is released is sent before, and an error is for who asks next. */
  #send(): void {
    if (!this.#encoder || this.#rehearsal || this.#failure instanceof DeviceLostError) return;
    this.#endPass();
    this.gpu.queue.writeBuffer(this.#paramsBuffer, 0, this.#paramsHost, 0, this.#paramSlot * PARAM_SLOT_BYTES);
    const collect = this.#profiler?.resolve(this.#encoder);
    this.gpu.queue.submit([this.#encoder.finish()]);
    collect?.();
    this.#encoder = null;
    this.#paramSlot = 0;
    this.#counters.submits++;
  }

  /** The first `bytes` of a buffer as they are after everything recorded so far. The buffer may be released at once. */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    this.#throwFailure();
    if (this.#rehearsal) throw new Error("prepare: nothing can be read back inside");
    if (this.#recording) throw new Error("capture: nothing can be read back inside; return the tensor and read it after a run");
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const staging = this.#stagingOf(size);
    this.#endPass().copyBufferToBuffer(buffer, 0, staging, 0, size);
    this.submit();
    this.#counters.bytesRead += bytes;
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (cause) {
      await Promise.all(this.#pendingScopes);
      this.#throwFailure();
      throw new GpuError(`reading ${bytes} bytes failed: ${(cause as Error).message}`, { cause });
    }
    await this.settle();
    const copy = staging.getMappedRange().slice(0, bytes);
    staging.unmap();
    this.#staging.push(staging);
    if (this.#staging.length > MAX_STAGING) this.#staging.shift()!.destroy();
    return copy;
  }

  /** Waits until every error that is already under way has arrived, and throws it. */
  async settle(): Promise<void> {
    await Promise.all(this.#pendingScopes);
    this.#pendingScopes = [];
    this.#throwFailure();
  }

  /** Waits for all work sent so far. */
  async finish(): Promise<void> {
    this.submit();
    await this.gpu.queue.onSubmittedWorkDone();
    await this.settle();
  }

  /** Gives the GPU back. Every later call throws DeviceLostError. */
  destroy(): void {
    this.gpu.destroy();
    this.#failure = new DeviceLostError("the GPU device was destroyed; ask for a new one");
  }

  #throwFailure(): void {
    const failure = this.#failure;
    if (!failure) return;
    // Others are said once. A lost device stays lost, and nothing that one without memory says can be relied on: whoever asks next must know.
    if (!(failure instanceof DeviceLostError || failure instanceof OutOfMemoryError)) this.#failure = null;
    throw failure;
  }

  /** Runs `create` under error scopes; what they catch is thrown by the next call. */
  #checked<T>(what: string, filters: readonly GPUErrorFilter[], create: () => T): T {
    for (const filter of filters) this.gpu.pushErrorScope(filter);
    try {
      return create();
    } finally {
      for (const filter of [...filters].reverse()) { // the scope that was opened last is the first to close
        const caught = this.gpu.popErrorScope().then(
          (error) => {
            if (error && filter === "out-of-memory") this.#ranOut(`${what}: ${error.message}`);
            else if (error) this.#failure ??= new GpuError(`${what}: ${error.message}`);
          },
          () => undefined, // the device is lost, which has its own error
        );
        this.#pendingScopes.push(caught);
      }
    }
  }

  /** Notes that memory ran out: what goes wrong with buffers that could not be made follows from it. */
  #ranOut(words: string): void {
    if (this.#failure instanceof DeviceLostError) return;
    const { bytes, freeBytes } = this.memory();
    this.#failure = new OutOfMemoryError(`the GPU is out of memory with ${bytes + freeBytes} bytes in use (${words}): use a smaller batch, on a new device`);
  }

  /** A buffer to read back through: one of that size that was used before, or a new one. */
  #stagingOf(size: number): GPUBuffer {
    const at = this.#staging.findIndex((staging) => staging.size === size);
    if (at >= 0) return this.#staging.splice(at, 1)[0]!;
    return this.gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  #partsOf(spec: KernelSpec): KernelParts {
    return kernelParts(this.gpu, spec, this.#paramsLayout, ({ module, element }) => {
      const label = `${module.name}<${element}>`;
      let compiled = this.#modules.get(label);
      if (!compiled) this.#modules.set(label, (compiled = this.gpu.createShaderModule({ label, code: wgslOf(module, element) })));
      return compiled;
    });
  }

  /** Runs `f` on a device where nothing happens. */
  #rehearse(idle: Device, f: () => unknown): void {
    this.#rehearsal = idle;
    try {
      f();
    } finally {
      this.#rehearsal = null;
    }
  }

  #planOf(f: () => unknown): MemoryPlan {
    const { device: idle } = this.rehearsal();
    const lifetimes = new Lifetimes();
    const pool = idle.#newPool(false);
    const recording = new Recording({ pool, groups: new Map(), shared: [] }, null, lifetimes);
    this.#rehearse(idle, () => idle.#capture(f, recording));
    const kept = new Set(recording.made.filter((allocation) => pool.lends(allocation)).map(({ buffer }) => buffer));
    return lifetimes.plan((buffer) => kept.has(buffer));
  }

  /** One that cannot be compiled is left to `kernel`, which says why. */
  #prepareKernel(spec: KernelSpec): Promise<void> {
    const key = labelOf(spec);
    if (this.#kernels.has(key)) return Promise.resolve();
    let preparing = this.#preparing.get(key);
    if (preparing) return preparing;
    const { interface: rest, descriptor } = this.#checked(key, ["validation", "internal"], () => this.#partsOf(spec));
    preparing = this.gpu.createComputePipelineAsync(descriptor).then((pipeline) => {
      if (!this.#kernels.has(key)) this.#kernels.set(key, { ...rest, pipeline });
    }, () => undefined).finally(() => this.#preparing.delete(key));
    this.#preparing.set(key, preparing);
    return preparing;
  }

  #newPool(reuses = true): BufferPool {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const create = (size: number) => this.#checked(`allocating ${size} bytes`, ["out-of-memory"], () => this.gpu.createBuffer({ size, usage }));
    return new BufferPool(create, this.gpu.limits.maxBufferSize, reuses);
  }

  /** A buffer with these bytes, and zeros up to a multiple of four: what a program copies from where its capture wrote. */
  #constant(data: ArrayBufferView): GPUBuffer {
    const bytes = new Uint8Array(Math.max(4, Math.ceil(data.byteLength / 4) * 4));
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const buffer = this.gpu.createBuffer({ size: bytes.length, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    this.gpu.queue.writeBuffer(buffer, 0, bytes);
    this.#counters.bytesUploaded += bytes.length;
    this.#recording!.constants.push(buffer);
    return buffer;
  }

  #programOf(recording: Recording): Program {
    const bytes = recording.params();
    let params = null;
    if (bytes.length > 0) {
      const buffer = this.gpu.createBuffer({ label: "params", size: bytes.length, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
      this.gpu.queue.writeBuffer(buffer, 0, bytes);
      const entries = [{ binding: 0, resource: { buffer, size: PARAM_SLOT_BYTES } }];
      params = { buffer, group: this.gpu.createBindGroup({ layout: this.#paramsLayout, entries }) };
    }
    return new Program(recording, params, {
      run: (program) => this.#replay(program),
      released: () => this.#leave(recording.memory),
    });
  }

  /** One program less; the last one's buffers go, after what uses them was sent. */
  #leave(memory: ProgramMemory): void {
    this.#send();
    const left = this.#programs.get(memory)! - 1;
    if (left > 0) this.#programs.set(memory, left);
    else {
      this.#programs.delete(memory);
      memory.pool.destroy();
    }
  }

  #replay(program: Program): void {
    this.#throwFailure();
    if (this.#recording) throw new Error("capture: a program cannot run inside");
    program.encode({
      pass: (kernel) => (this.#pass ??= this.#beginPass(kernel.label)),
      encoder: () => this.#endPass(),
      dispatched: (kernel, work) => this.#dispatched(kernel, work),
    });
  }

  #dispatched({ label }: Kernel, work: Work): void {
    this.#counters.dispatches++;
    this.#trace?.push({ label, ...work });
    if (this.#profiler) this.#endPass();
    if (this.#profiler?.full) this.submit();
  }

  #beginPass(label: string): GPUComputePassEncoder {
    this.#encoder ??= this.gpu.createCommandEncoder();
    return this.#profiler?.beginPass(this.#encoder, label) ?? this.#encoder.beginComputePass();
  }

  #endPass(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = null;
    return (this.#encoder ??= this.gpu.createCommandEncoder());
  }

  #writeParams(kernel: Kernel, params: Record<string, number>): number {
    if (this.#paramSlot === PARAM_SLOTS) this.submit();
    const offset = PARAM_SLOT_BYTES * this.#paramSlot++;
    const view = new DataView(this.#paramsHost, offset, PARAM_SLOT_BYTES);
    for (const { name, offset, type } of kernel.params) {
      const value = params[name]!;
      if (type === "f32") view.setFloat32(offset, value, true);
      else if (type === "i32" ? value === (value | 0) : value === value >>> 0) view.setUint32(offset, value, true);
      else throw new Error(`${kernel.label}: param ${name} is ${value}, which is no ${type}`);
    }
    return offset;
  }

  #bindGroup(kernel: Kernel, buffers: Record<string, BufferPart>): GPUBindGroup {
    let key = `${kernel.id}`;
    for (const { name } of kernel.bindings) key += `:${this.#idOf(buffers[name]!)}`;
    const create = (): GPUBindGroup => {
      const entries = kernel.bindings.map(({ name, binding }) => ({ binding, resource: resourceOf(buffers[name]!) }));
      this.#counters.bindGroups++;
      return this.gpu.createBindGroup({ label: kernel.label, layout: kernel.layout, entries });
    };
    if (this.#recording) return this.#recording.group(key, create);
    let group = this.#bindGroups.get(key);
    if (!group) {
      if (this.#bindGroups.size === MAX_BIND_GROUPS) this.#bindGroups.clear();
      this.#bindGroups.set(key, (group = create()));
    }
    return group;
  }

  #idOf(part: BufferPart): string {
    const { buffer, offset = 0, size = 0 } = resourceOf(part);
    let id = this.#bufferIds.get(buffer);
    if (id === undefined) this.#bufferIds.set(buffer, (id = this.#nextBufferId++));
    return size === 0 ? `${id}` : `${id}@${offset}+${size}`;
  }
}

const resourceOf = (part: BufferPart): { readonly buffer: GPUBuffer; readonly offset?: number; readonly size?: number } =>
  "offset" in part ? part : { buffer: part };

function requireSameNames(kernel: Kernel, what: string, got: Record<string, unknown>, declared: readonly { name: string }[]): void {
  const given = Object.keys(got);
  if (given.length === declared.length && declared.every(({ name }) => name in got)) return;
  const names = declared.map(({ name }) => name);
  const problems = [
    ...names.filter((name) => !(name in got)).map((name) => `missing ${what} ${name}`),
    ...given.filter((name) => !names.includes(name)).map((name) => `unknown ${what} ${name}`),
  ];
  throw new Error(`${kernel.label}: ${problems.join(", ")}; the WGSL has ${names.join(", ")}`);
}
