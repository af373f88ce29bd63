import { dispose } from "./disposal.ts";
import { ReleasedError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import type { ProgramMemory } from "./memory.ts";
import { PARAM_SLOT_BYTES, type ParamSlots } from "./params.ts";
import type { Allocation } from "./pool.ts";
import type { Work } from "./profiler.ts";

/** A command that a program repeats. */
export type Command = Dispatch | { readonly kind: "clear"; readonly buffer: GPUBuffer; readonly bytes: number } | Copy;

interface Dispatch {
  readonly kind: "dispatch";
  readonly kernel: Kernel;
  readonly group: GPUBindGroup;
  /** Index of the program's params. */
  readonly slot: number;
  readonly workgroups: readonly [x: number, y: number];
  readonly work: Work;
}

interface Copy {
  readonly kind: "copy";
  readonly source: GPUBuffer;
  /** Byte offset in either buffer. */
  readonly from: number;
  readonly to: number;
  readonly destination: GPUBuffer;
  readonly bytes: number;
}

/** Destination of a program's commands: a device's queue. */
export interface Encoding {
  /** The open compute pass, or a new one. */
  pass(kernel: Kernel): GPUComputePassEncoder;
  /** The command encoder, with no pass open. */
  encoder(): GPUCommandEncoder;
  /** Called after each dispatch. */
  dispatched(kernel: Kernel, work: Work): void;
}

/** Contents of a program. */
interface ProgramParts {
  readonly commands: readonly Command[];
  readonly params: ParamSlots | null;
  readonly memory: ProgramMemory;
  readonly made: readonly Allocation[];
  /** Allocations outside the program that its commands use. */
  readonly outside: readonly Allocation[];
  readonly run: (program: Program) => void;
  readonly released: () => void;
}

/**
 * Captured work. A run repeats its commands on the same buffers without running the code that produced them. Tensors
 * from outside are read in place: write new contents into them before a run. The program owns the tensors made inside;
 * its results keep their place and each run overwrites them.
 */
export class Program implements Disposable {
  /** Its buffers and bind groups; another program may be captured into the same memory. */
  readonly memory: ProgramMemory;
  readonly #parts: ProgramParts;
  #isReleased = false;

  /** Created by `Device.capture`. */
  constructor(parts: ProgramParts) {
    this.memory = parts.memory;
    this.#parts = parts;
  }

  /** Number of dispatches in a run. */
  get dispatches(): number {
    return this.#parts.commands.filter(({ kind }) => kind === "dispatch").length;
  }

  /**
   * Records all commands again, after everything recorded before.
   * @throws ReleasedError if the program was released, or a tensor from outside that it uses; UsageError inside
   *   `capture`
   */
  run(): void {
    if (this.#isReleased) throw new ReleasedError("this program was released; capture another");
    if (this.#parts.outside.some(({ isReleased }) => isReleased)) {
      const problem = "this program uses a tensor from outside that was released since it was captured";
      throw new ReleasedError(`${problem}: keep the tensor, or capture another`);
    }
    this.#parts.run(this);
  }

  /** Releases its buffers, including its results. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const allocation of this.#parts.made) this.memory.pool.release(allocation); // to programs beside it
    this.#parts.released();
  }

  /** The same as `release`, for `using`. */
  [dispose](): void {
    this.release();
  }

  /** Encodes its commands. State that the pass already has is not set again. */
  encode(encoding: Encoding): void {
    const { commands, params } = this.#parts;
    let at: { readonly pass: GPUComputePassEncoder; readonly command: Dispatch } | null = null;
    for (const command of commands) {
      switch (command.kind) {
        case "dispatch": {
          const { kernel, group, slot, workgroups, work } = command;
          const pass = encoding.pass(kernel);
          const before: Dispatch | null = at?.pass === pass ? at.command : null;
          if (kernel !== before?.kernel) pass.setPipeline(kernel.pipeline);
          if (group !== before?.group) pass.setBindGroup(0, group);
          if (slot !== before?.slot) pass.setBindGroup(1, params!.group, [slot * PARAM_SLOT_BYTES]);
          pass.dispatchWorkgroups(workgroups[0], workgroups[1]);
          at = { pass, command };
          encoding.dispatched(kernel, work);
          break;
        }
        case "clear":
          encoding.encoder().clearBuffer(command.buffer, 0, command.bytes);
          break;
        case "copy": {
          const { source, from, destination, to, bytes } = command;
          encoding.encoder().copyBufferToBuffer(source, from, destination, to, bytes);
        }
      }
    }
  }
}
