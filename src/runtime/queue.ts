import { GpuError, UnsupportedError, UsageError } from "./errors.ts";
import type { Failures } from "./failures.ts";
import type { Kernel } from "./kernel.ts";
import { createParamSlots, PARAM_SLOT_BYTES, writeParams, type ParamSlots } from "./params.ts";
import { Profiler, type KernelTime, type TracedDispatch, type Work } from "./profiler.ts";

const PARAM_SLOTS = 1024; // param slots per submission
const MAX_STAGING = 8; // readback buffers kept for reuse

/** Number of workgroups along x and y. */
export type Workgroups = readonly [x: number, y: number];

/** Work done since the device was created. */
export interface Counters {
  readonly dispatches: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly bytesUploaded: number;
  readonly bytesRead: number;
}

/** Mutable counters, for the code that does the work. */
export type Tally = { -readonly [name in keyof Counters]: number };

/**
 * Commands on their way to the GPU, recorded into one encoder until they are submitted, many dispatches to a pass; also
 * readback of buffers, times, and traces of dispatches.
 */
export class Queue {
  readonly #gpu: GPUDevice;
  readonly #failures: Failures;
  readonly #tally: Tally;
  readonly #params: ParamSlots;
  readonly #paramsHost = new ArrayBuffer(PARAM_SLOT_BYTES * PARAM_SLOTS);
  readonly #staging: GPUBuffer[] = []; // recently used readback buffers
  #paramSlot = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #profiler: Profiler | null = null;
  #trace: TracedDispatch[] | null = null;

  constructor(gpu: GPUDevice, failures: Failures, tally: Tally, paramsLayout: GPUBindGroupLayout) {
    this.#gpu = gpu;
    this.#failures = failures;
    this.#tally = tally;
    this.#params = createParamSlots(gpu, paramsLayout, this.#paramsHost.byteLength);
  }

  /**
   * Records one dispatch.
   * @returns offset of its params, for `paramsAt`, valid until the next command
   */
  dispatch(
    kernel: Kernel,
    group: GPUBindGroup,
    params: Readonly<Record<string, number>>,
    [x, y]: Workgroups,
    work: Work,
  ): number {
    if (this.#paramSlot === PARAM_SLOTS) this.submit();
    const offset = PARAM_SLOT_BYTES * this.#paramSlot++;
    writeParams(new DataView(this.#paramsHost, offset, PARAM_SLOT_BYTES), kernel, params);
    const pass = this.pass(kernel);
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, group);
    pass.setBindGroup(1, this.#params.group, [offset]);
    pass.dispatchWorkgroups(x, y);
    this.dispatched(kernel, work);
    return offset;
  }

  /** The params of the last dispatch as the GPU sees them. */
  paramsAt(offset: number): Uint8Array {
    return new Uint8Array(this.#paramsHost, offset, PARAM_SLOT_BYTES);
  }

  /** The open compute pass, or a new one. */
  pass({ label }: Kernel): GPUComputePassEncoder {
    if (this.#pass) return this.#pass;
    this.#encoder ??= this.#gpu.createCommandEncoder();
    return (this.#pass = this.#profiler?.beginPass(this.#encoder, label) ?? this.#encoder.beginComputePass());
  }

  /** The command encoder, with no pass open. */
  encoder(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = null;
    return (this.#encoder ??= this.#gpu.createCommandEncoder());
  }

  /** Notes a recorded dispatch. */
  dispatched({ label }: Kernel, work: Work): void {
    this.#tally.dispatches++;
    this.#trace?.push({ label, ...work });
    if (!this.#profiler) return;
    this.encoder(); // each in a pass of its own
    if (this.#profiler.full) this.submit();
  }

  clear(buffer: GPUBuffer, bytes: number): void {
    this.#failures.check();
    this.encoder().clearBuffer(buffer, 0, bytes);
  }

  copy(source: GPUBuffer, from: number, destination: GPUBuffer, to: number, bytes: number): void {
    this.#failures.check();
    this.encoder().copyBufferToBuffer(source, from, destination, to, bytes);
  }

  /** Writes bytes from the host after everything recorded so far; pads with zeros to a multiple of four. */
  write(buffer: GPUBuffer, { buffer: source, byteOffset, byteLength }: ArrayBufferView, offset: number): void {
    this.submit();
    this.#tally.bytesUploaded += byteLength;
    const whole = byteLength - (byteLength % 4);
    if (whole > 0) this.#gpu.queue.writeBuffer(buffer, offset, source, byteOffset, whole);
    if (whole === byteLength) return;
    const tail = new Uint8Array(4);
    tail.set(new Uint8Array(source, byteOffset + whole, byteLength - whole));
    this.#gpu.queue.writeBuffer(buffer, offset + whole, tail);
  }

  /** Submits the recorded commands to the GPU. */
  submit(): void {
    this.#failures.check();
    this.flush();
  }

  /**
   * Submits the recorded commands unless the device is lost. Throws nothing: it runs before each release, and the next
   * call that checks reports the error.
   */
  flush(): void {
    if (!this.#encoder || this.#failures.isLost) return;
    const encoder = this.encoder();
    this.#gpu.queue.writeBuffer(this.#params.buffer, 0, this.#paramsHost, 0, this.#paramSlot * PARAM_SLOT_BYTES);
    const collect = this.#profiler?.resolve(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
    collect?.();
    this.#encoder = null;
    this.#paramSlot = 0;
    this.#tally.submits++;
  }

  /** Reads the first `bytes` of a buffer, as they are after everything recorded so far. */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    this.#failures.check();
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const staging = this.#stagingOf(size);
    this.encoder().copyBufferToBuffer(buffer, 0, staging, 0, size);
    this.submit();
    this.#tally.bytesRead += bytes;
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (cause) {
      await this.#failures.settle();
      throw new GpuError(`reading ${bytes} bytes failed: ${(cause as Error).message}`, { cause });
    }
    await this.#failures.settle();
    const copy = staging.getMappedRange().slice(0, bytes);
    staging.unmap();
    this.#staging.push(staging);
    if (this.#staging.length > MAX_STAGING) this.#staging.shift()!.destroy();
    return copy;
  }

  /** Waits until the GPU has finished all submitted work. */
  async finish(): Promise<void> {
    this.submit();
    await this.#gpu.queue.onSubmittedWorkDone();
    await this.#failures.settle();
  }

  /** See `Device.profile`. */
  async profile(run: () => void | Promise<void>): Promise<KernelTime[]> {
    if (!this.#gpu.features.has("timestamp-query")) {
      throw new UnsupportedError("profiling needs the feature timestamp-query, which this device lacks");
    }
    await this.finish();
    const profiler = (this.#profiler = new Profiler(this.#gpu));
    try {
      await run();
      await this.finish();
    } finally {
      this.#profiler = null;
    }
    return profiler.totals();
  }

  /** See `Device.trace`. */
  async trace(run: () => void | Promise<void>): Promise<readonly TracedDispatch[]> {
    if (this.#trace) throw new UsageError("trace: another trace is running");
    const trace: TracedDispatch[] = (this.#trace = []);
    try {
      await run();
    } finally {
      this.#trace = null;
    }
    return trace;
  }

  /** A readback buffer of that size: one used before, or a new one. */
  #stagingOf(size: number): GPUBuffer {
    const at = this.#staging.findIndex((staging) => staging.size === size);
    if (at >= 0) return this.#staging.splice(at, 1)[0]!;
    return this.#gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }
}
