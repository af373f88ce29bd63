import { ReleasedError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import type { Lifetimes, MemoryPlan } from "./lifetimes.ts";
import { allocationWithin, holderOf, type Allocation, type BufferPool } from "./pool.ts";
import type { Work } from "./profiler.ts";

export const PARAM_SLOT_BYTES = 256; // minUniformBufferOffsetAlignment is at most this

/** One thing that a program does again. */
type Command =
  | Dispatch
  | { readonly kind: "clear"; readonly buffer: GPUBuffer; readonly bytes: number }
  | Copy;

interface Dispatch {
  readonly kind: "dispatch";
  readonly kernel: Kernel;
  readonly group: GPUBindGroup;
  /** Of the program's params. */
  readonly slot: number;
  readonly workgroups: readonly [x: number, y: number];
  readonly work: Work;
}

interface Copy {
  readonly kind: "copy";
  readonly source: GPUBuffer;
  /** Bytes into either buffer. */
  readonly from: number;
  readonly to: number;
  readonly destination: GPUBuffer;
  readonly bytes: number;
}

/** What is noted while `capture` runs: a command and what it touches, or that what a buffer holds is worth nothing from here on. */
type Note =
  | { readonly command: Command; readonly reads: readonly GPUBuffer[]; readonly writes: readonly GPUBuffer[] }
  | { readonly lent: GPUBuffer };

/** What a device lends a program to encode itself with. */
export interface Encoding {
  /** The compute pass that is open, or a new one. */
  readonly pass: (kernel: Kernel) => GPUComputePassEncoder;
  /** The command encoder, with no pass open. */
  readonly encoder: () => GPUCommandEncoder;
  /** Called after each dispatch. */
  readonly dispatched: (kernel: Kernel, work: Work) => void;
}

interface ProgramOwner {
  readonly run: (program: Program) => void;
  readonly released: () => void;
}

/**
 * Work that was captured: run again, it does the same on the same buffers, without any of the work of deciding what to do.
 * What it was captured from may have read tensors that live outside; write into those what is new. Tensors made inside
 * belong to the program: results keep their place and are written anew by each run.
 */
export class Program {
  /** What it allocates from, and its bind groups: another program may be captured into the same. */
  readonly memory: ProgramMemory;
  readonly #commands: readonly Command[];
  readonly #params: GPUBuffer | null;
  readonly #paramsGroup: GPUBindGroup | null;
  readonly #constants: readonly GPUBuffer[];
  readonly #made: readonly Allocation[];
  readonly #outside: readonly Allocation[];
  readonly #owner: ProgramOwner;
  #isReleased = false;

  /** Programs come from `Device.capture`. */
  constructor(recording: Recording, params: { readonly buffer: GPUBuffer; readonly group: GPUBindGroup } | null, owner: ProgramOwner) {
    this.memory = recording.memory;
    const { commands, outside } = recording.needed();
    this.#commands = commands;
    this.#outside = outside;
    this.#constants = recording.constants;
    this.#made = recording.made;
    this.#params = params?.buffer ?? null;
    this.#paramsGroup = params?.group ?? null;
    this.#owner = owner;
  }

  /** Dispatches of a run. */
  get dispatches(): number {
    return this.#commands.filter(({ kind }) => kind === "dispatch").length;
  }

  /**
   * Records everything again, behind whatever was recorded before.
   * @throws ReleasedError if the program was released, or a tensor from outside that it uses
   */
  run(): void {
    if (this.#isReleased) throw new ReleasedError("this program was released; capture another");
    if (this.#outside.some(({ isReleased }) => isReleased)) {
      throw new ReleasedError("this program uses a tensor from outside that was released since it was captured: keep the tensor, or capture another");
    }
    this.#owner.run(this);
  }

  /** Gives its buffers back: results are gone with them. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const allocation of this.#made) this.memory.pool.release(allocation); // to programs beside it
    this.#owner.released();
    for (const buffer of [...this.#constants, ...(this.#params ? [this.#params] : [])]) buffer.destroy();
  }

  /** Writes what was captured into an encoder. What the pass has set already is not set again. */
  encode({ pass, encoder, dispatched }: Encoding): void {
    let at: { readonly pass: GPUComputePassEncoder; readonly command: Dispatch } | null = null;
    for (const command of this.#commands) {
      switch (command.kind) {
        case "dispatch": {
          const { kernel, group, slot, workgroups, work } = command;
          const current = pass(kernel);
          const before: Dispatch | null = at?.pass === current ? at.command : null;
          if (kernel !== before?.kernel) current.setPipeline(kernel.pipeline);
          if (group !== before?.group) current.setBindGroup(0, group);
          if (slot !== before?.slot) current.setBindGroup(1, this.#paramsGroup, [slot * PARAM_SLOT_BYTES]);
          current.dispatchWorkgroups(workgroups[0], workgroups[1]);
          at = { pass: current, command };
          dispatched(kernel, work);
          break;
        }
        case "clear":
          encoder().clearBuffer(command.buffer, 0, command.bytes);
          break;
        case "copy":
          encoder().copyBufferToBuffer(command.source, command.from, command.destination, command.to, command.bytes);
      }
    }
  }
}

/** Buffers of programs, of which one at a time runs, and what binds them. */
export interface ProgramMemory {
  readonly pool: BufferPool;
  readonly groups: Map<string, GPUBindGroup>;
  /** Buffers that every program uses for whatever it needs only while it runs. */
  readonly shared: Allocation[];
}

/** What a device notes while `capture` runs. */
export class Recording {
  readonly memory: ProgramMemory;
  /** Buffers that hold what was written from the host. */
  readonly constants: GPUBuffer[] = [];
  /** Everything allocated, whether or not it was released since. */
  readonly made: Allocation[] = [];
  readonly #lifetimes: Lifetimes | null;
  readonly #notes: Note[] = [];
  readonly #plan: MemoryPlan | null;
  readonly #shared: readonly Allocation[];
  readonly #slots = new Map<string, number>();
  readonly #params: Uint8Array[] = [];
  #allocations = 0;

  /**
   * @param plan where allocations go, if that was found out before
   * @param lifetimes notes what is used when, where that is to be found out
   */
  constructor(memory: ProgramMemory, plan: MemoryPlan | null, lifetimes: Lifetimes | null) {
    this.memory = memory;
    this.#lifetimes = lifetimes;
    this.#plan = plan;
    this.#shared = plan ? sharedBuffers(memory, plan.shared) : [];
  }

  get pool(): BufferPool {
    return this.memory.pool;
  }

  allocate(bytes: number): Allocation {
    const place = this.#plan?.places[this.#allocations++];
    if (this.#plan && place?.bytes !== bytes) throw new Error("capture: lean work must allocate the same each time that it runs");
    if (place && place.shared !== null) return allocationWithin(this.#shared[place.shared]!.buffer, bytes);
    const allocation = this.pool.allocate(bytes);
    this.made.push(allocation);
    this.#notes.push({ lent: allocation.buffer });
    this.#lifetimes?.allocated(allocation.buffer, bytes);
    return allocation;
  }

  /**
   * @param buffers in the order of the kernel's bindings
   * @param params the kernel's, as they lie in its slot
   */
  dispatch(
    kernel: Kernel,
    group: GPUBindGroup,
    buffers: readonly GPUBuffer[],
    params: Uint8Array,
    workgroups: readonly [number, number],
    work: Work,
  ): void {
    const key = params.join();
    let slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, (slot = this.#params.push(params.slice()) - 1));
    const writes = buffers.filter((_, i) => kernel.bindings[i]!.access !== "read");
    this.#note({ kind: "dispatch", kernel, group, slot, workgroups, work }, buffers, writes);
  }

  clear(buffer: GPUBuffer, bytes: number): void {
    this.#note({ kind: "clear", buffer, bytes }, [], [buffer]);
  }

  copy(source: GPUBuffer, from: number, destination: GPUBuffer, to: number, bytes: number): void {
    this.#note({ kind: "copy", source, from, destination, to, bytes }, [source], [destination]);
  }

  /**
   * The commands but for those that write only what nobody reads: neither a later command, nor who holds a result or a
   * tensor from outside; and what they use of tensors from outside.
   */
  needed(): { readonly commands: readonly Command[]; readonly outside: readonly Allocation[] } {
    const held = new Set(this.made.filter((allocation) => this.pool.lends(allocation)).map(({ buffer }) => buffer));
    const own = new Set([...this.made, ...this.#shared].map(({ buffer }) => buffer));
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

  /** The group of that key, made once. */
  group(key: string, create: () => GPUBindGroup): GPUBindGroup {
    const { groups } = this.memory;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = create()));
    return group;
  }

  /** All params, a slot each. */
  params(): Uint8Array {
    const bytes = new Uint8Array(this.#params.length * PARAM_SLOT_BYTES);
    this.#params.forEach((params, i) => bytes.set(params, i * PARAM_SLOT_BYTES));
    return bytes;
  }

  #note(command: Command, reads: readonly GPUBuffer[], writes: readonly GPUBuffer[]): void {
    this.#lifetimes?.used([...new Set([...reads, ...writes])]);
    this.#notes.push({ command, reads, writes });
  }
}

/** Of the buffers that programs share, one for each size, the largest first: the smallest that is large enough, or a new one. */
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
