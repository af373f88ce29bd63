import { wholeGranules } from "./pool.ts";

/** Place of an allocation: the index of a shared buffer, or null for a buffer of its own. */
export interface Place {
  readonly bytes: number;
  readonly shared: number | null;
}

/** Places of the allocations of some work, in order of allocation. */
export interface MemoryPlan {
  readonly places: readonly Place[];
  /** Sizes of the shared buffers in bytes, largest first. */
  readonly shared: readonly number[];
}

interface Life {
  readonly bytes: number;
  readonly buffer: GPUBuffer;
  /** Indices of the first and last command that use it. */
  first: number;
  last: number;
}

/** Records the lifetimes of the allocations of a dry run, in which each has a buffer of its own. */
export class Lifetimes {
  readonly #lives: Life[] = [];
  readonly #byBuffer = new Map<GPUBuffer, Life>();
  #commands = 0;

  allocated(buffer: GPUBuffer, bytes: number): void {
    const life = { bytes, buffer, first: Infinity, last: -Infinity };
    this.#lives.push(life);
    this.#byBuffer.set(buffer, life);
  }

  /** Notes a command. */
  used(buffers: readonly GPUBuffer[]): void {
    for (const buffer of buffers) {
      const life = this.#byBuffer.get(buffer);
      if (!life) continue; // allocated outside
      life.first = Math.min(life.first, this.#commands);
      life.last = this.#commands;
    }
    this.#commands++;
  }

  /**
   * Assigns allocations with disjoint lifetimes to shared buffers. The largest are placed first, so a buffer's size is
   * that of its first allocation.
   * @param isKept true if the buffer outlives the work
   */
  plan(isKept: (buffer: GPUBuffer) => boolean): MemoryPlan {
    const shared: { readonly bytes: number; readonly lives: Life[] }[] = [];
    const places = new Map<Life, number>();
    for (const life of this.#lives.filter(({ buffer }) => !isKept(buffer)).sort((a, b) => b.bytes - a.bytes)) {
      const isApart = ({ first, last }: Life): boolean => last < life.first || first > life.last;
      let nth = shared.findIndex(({ lives }) => lives.every(isApart));
      if (nth < 0) nth = shared.push({ bytes: wholeGranules(life.bytes), lives: [] }) - 1;
      shared[nth]!.lives.push(life);
      places.set(life, nth);
    }
    return {
      places: this.#lives.map((life) => ({ bytes: life.bytes, shared: places.get(life) ?? null })),
      shared: shared.map(({ bytes }) => bytes),
    };
  }
}
