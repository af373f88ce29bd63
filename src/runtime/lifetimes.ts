import { wholeGranules } from "./pool.ts";

/** Where an allocation goes: the nth of some buffers, or null for one of its own. */
export interface Place {
  readonly bytes: number;
  readonly shared: number | null;
}

/** Where the allocations of some work go, in their order. */
export interface MemoryPlan {
  readonly places: readonly Place[];
  /** Bytes of the shared buffers, the largest first. */
  readonly shared: readonly number[];
}

interface Life {
  readonly bytes: number;
  readonly buffer: GPUBuffer;
  /** The commands that use it first and last. */
  first: number;
  last: number;
}

/**
 * What is noted of work that runs where nothing happens: when each of its allocations, which all have buffers of their
 * own, is used.
 */
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
      if (!life) continue; // it lies outside
      life.first = Math.min(life.first, this.#commands);
      life.last = this.#commands;
    }
    this.#commands++;
  }

  /**
   * Shares buffers among allocations that are never in use at a time: the largest choose first, so that a buffer is as
   * large as the first that it was made for.
   * @param isKept whether it outlives the work
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
