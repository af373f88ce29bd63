import { BindGroups, bufferOf, type Buffers } from "./bind_groups.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import type { Lifetimes, MemoryPlan } from "./lifetimes.ts";
import { Live } from "./live.ts";
import type { ProgramMemory } from "./memory.ts";
import { createParamSlots, PARAM_SLOT_BYTES } from "./params.ts";
import { allocationWithin, holderOf, type Allocation } from "./pool.ts";
import type { Work } from "./profiler.ts";
import { Program, type Command } from "./program.ts";
import type { Workgroups } from "./queue.ts";

/**
 * A note made while `capture` runs: a command and the buffers it reads and writes, or that a buffer's contents are
 * undefined from here on.
 */
type Note =
  | { readonly command: Command; readonly reads: readonly GPUBuffer[]; readonly writes: readonly GPUBuffer[] }
  | { readonly lent: GPUBuffer };

/** Options of a recording. */
export interface RecordingOptions {
  /** Places of the allocations, if a dry run found them. */
  readonly plan?: MemoryPlan | null;
  /** Records the lifetimes of allocations, in a dry run. */
  readonly lifetimes?: Lifetimes | null;
  /** True if the engine executes nothing. */
  readonly isDryRun?: boolean;
}

/** Memory for a program that shares none. */
export const createProgramMemory = ({ gpu, memory, tally }: Engine, reuses = true): ProgramMemory => ({
  pool: memory.createPool(reuses),
  groups: new BindGroups(gpu, tally),
  shared: [],
});

/** A target that sends everything to the GPU, using a program's memory, and records it for that program. */
export class Recording extends Live {
  override readonly isCapturing = true;
  override readonly isDryRun: boolean;
  readonly #made: Allocation[] = []; // all allocations, including released ones
  readonly #memory: ProgramMemory;
  readonly #constants: GPUBuffer[] = []; // data written from the host
  readonly #lifetimes: Lifetimes | null;
  readonly #notes: Note[] = [];
  readonly #plan: MemoryPlan | null;
  readonly #shared: readonly Allocation[];
  readonly #slots = new Map<string, number>();
  readonly #params: Uint8Array[] = [];
  #allocations = 0;

  /** Counts as one more program of the memory until `finish` or `abandon`. */
  constructor(engine: Engine, memory: ProgramMemory, options: RecordingOptions = {}) {
    const { plan = null, lifetimes = null, isDryRun = false } = options;
    super(engine, memory.pool, memory.groups);
    this.isDryRun = isDryRun;
    this.#memory = memory;
    this.#lifetimes = lifetimes;
    this.#plan = plan;
    this.#shared = plan ? sharedBuffers(memory, plan.shared) : [];
    engine.memory.enter(memory);
  }

  override allocate(bytes: number): Allocation {
    this.engine.failures.check();
    const place = this.#plan?.places[this.#allocations++];
    if (this.#plan && place?.bytes !== bytes) {
      throw new UsageError("capture: lean work must make the same allocations in each run");
    }
    if (place && place.shared !== null) return allocationWithin(this.#shared[place.shared]!.buffer, bytes);
    const allocation = this.pool.allocate(bytes);
    this.#made.push(allocation);
    this.#notes.push({ lent: allocation.buffer });
    this.#lifetimes?.allocated(allocation.buffer, bytes);
    return allocation;
  }

  override release(allocation: Allocation): void {
    if (this.engine.memory.pool.lends(allocation)) {
      throw new UsageError("capture: a tensor from outside must not be released inside");
    }
    super.release(allocation);
  }

  protected override send(
    kernel: Kernel,
    group: GPUBindGroup,
    buffers: Buffers,
    params: Readonly<Record<string, number>>,
    workgroups: Workgroups,
    work: Work,
  ): void {
    const { queue } = this.engine;
    const bytes = queue.paramsAt(queue.dispatch(kernel, group, params, workgroups, work));
    const key = bytes.join();
    let slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, (slot = this.#params.push(bytes.slice()) - 1));
    const bound = kernel.bindings.map(({ name }) => bufferOf(buffers[name]!));
    const writes = bound.filter((_, i) => kernel.bindings[i]!.access !== "read");
    this.#note({ kind: "dispatch", kernel, group, slot, workgroups, work }, bound, writes);
  }

  override clear(buffer: GPUBuffer, bytes: number): void {
    super.clear(buffer, bytes);
    this.#note({ kind: "clear", buffer, bytes }, [], [buffer]);
  }

  override copy(source: GPUBuffer, from: number, destination: GPUBuffer, to: number, bytes: number): void {
    super.copy(source, from, destination, to, bytes);
    this.#note({ kind: "copy", source, from, destination, to, bytes }, [source], [destination]);
  }

  /** Writes into a buffer of its own; each run copies from there. */
  override write(buffer: GPUBuffer, data: ArrayBufferView, offset: number): void {
    const { gpu, tally } = this.engine;
    const bytes = new Uint8Array(Math.max(4, Math.ceil(data.byteLength / 4) * 4));
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const constant = gpu.createBuffer({ size: bytes.length, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    gpu.queue.writeBuffer(constant, 0, bytes);
    tally.bytesUploaded += bytes.length;
    this.#constants.push(constant);
    this.copy(constant, 0, buffer, offset, Math.ceil(data.byteLength / 4) * 4);
  }

  override async read(): Promise<never> {
    this.engine.failures.check();
    throw new UsageError("capture: nothing can be read back inside; return the tensor and read it after a run");
  }

  override run(): void {
    this.engine.failures.check();
    throw new UsageError("capture: a program cannot run inside");
  }

  override captureOn(): never {
    throw new UsageError("capture: another capture is running");
  }

  /** Buffers made inside that are still in use. */
  held(): ReadonlySet<GPUBuffer> {
    return new Set(this.#made.filter((allocation) => this.pool.lends(allocation)).map(({ buffer }) => buffer));
  }

  /** @param run records the program's commands again */
  finish(run: (program: Program) => void): Program {
    const bytes = new Uint8Array(this.#params.length * PARAM_SLOT_BYTES);
    this.#params.forEach((params, i) => bytes.set(params, i * PARAM_SLOT_BYTES));
    const { gpu, paramsLayout } = this.engine;
    const params = bytes.length > 0 ? createParamSlots(gpu, paramsLayout, bytes.length) : null;
    if (params) gpu.queue.writeBuffer(params.buffer, 0, bytes);
    return new Program({
      ...this.#needed(),
      params,
      memory: this.#memory,
      made: this.#made,
      run,
      released: () => {
        this.abandon();
        params?.buffer.destroy();
      },
    });
  }

  /** Releases the memory once its uses are submitted. Throws nothing, because the device may be lost. */
  abandon(): void {
    const { queue, memory } = this.engine;
    queue.flush();
    memory.leave(this.#memory);
    for (const buffer of this.#constants) buffer.destroy();
  }

  /**
   * Dead-command elimination: drops commands whose outputs are read neither by a later command nor through a kept
   * result or a tensor from outside. Also returns the outside allocations that the remaining commands use.
   */
  #needed(): { readonly commands: readonly Command[]; readonly outside: readonly Allocation[] } {
    const held = this.held();
    const own = new Set([...this.#made, ...this.#shared].map(({ buffer }) => buffer));
    const unread = new Set([...own].filter((buffer) => !held.has(buffer)));
    const commands: Command[] = [];
    const used = new Set<GPUBuffer>();
    for (const note of [...this.#notes].reverse()) {
      if ("lent" in note) unread.add(note.lent);
      else if (note.writes.some((buffer) => !unread.has(buffer))) {
        for (const buffer of note.reads) unread.delete(buffer);
        for (const buffer of [...note.reads, ...note.writes]) used.add(buffer);
        commands.push(note.command);
      }
    }
    const outside = [...used].filter((buffer) => !own.has(buffer)).flatMap((buffer) => holderOf(buffer) ?? []);
    return { commands: commands.reverse(), outside };
  }

  #note(command: Command, reads: readonly GPUBuffer[], writes: readonly GPUBuffer[]): void {
    this.#lifetimes?.used([...new Set([...reads, ...writes])]);
    this.#notes.push({ command, reads, writes });
  }
}

/**
 * Buffers that programs share, one for each size, largest first: the smallest existing one that is large enough, or a
 * new one.
 */
function sharedBuffers({ pool, shared }: ProgramMemory, sizes: readonly number[]): Allocation[] {
  const left = [...shared].sort((a, b) => a.bytes - b.bytes);
  return sizes.map((size) => {
    const at = left.findIndex(({ bytes }) => bytes >= size);
    if (at >= 0) return left.splice(at, 1)[0]!;
    const made = pool.allocate(size);
    shared.push(made);
    return made;
  });
}
