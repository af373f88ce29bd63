import type { Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import { bytesOf, empty, release, requireLive, type Tensor } from "./tensor.ts";

interface Captured<T> {
  readonly program: Program;
  readonly result: T;
  /** The inputs' shapes and dtypes. */
  readonly shapes: string;
}

/**
 * Work on tensors that is captured for each shape of its inputs and then run again, which decides and allocates
 * nothing. Each run copies its inputs to where the program reads them. All programs share their memory.
 */
export class CapturedWork<T> {
  readonly #device: Device;
  readonly #most: number;
  readonly #inputs = new Map<string, readonly Tensor[]>(); // by shapes
  readonly #captured = new Map<string, Captured<T>>(); // the last used is last

  /** @param most programs that are kept; beyond them the one that was not used for longest is released */
  constructor(device: Device, most = Infinity) {
    this.#device = device;
    this.#most = most;
  }

  /** Whether what has that key is captured, and can be run again. */
  knows(key: string): boolean {
    const captured = this.#captured.get(key);
    return captured !== undefined && !this.#isLost(captured.shapes);
  }

  /**
   * Runs work on inputs, which may be released afterwards.
   * @param key names the kind of work: equal keys are the same work. With inputs of other shapes it is captured anew
   * @param work called only to capture it, with tensors like the inputs, in their order
   * @throws ReleasedError for an input that was released
   * @returns what `work` returned. Its tensors keep their place; the next run, of whatever key, may overwrite them
   */
  run(key: string, inputs: readonly Tensor[], work: (inputs: readonly Tensor[]) => T): T {
    requireLive("captured work", Object.fromEntries(inputs.map((input, i) => [`input ${i}`, input])));
    const shapes = inputs.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join(" ");
    if (this.#isLost(shapes)) this.#dropAll(shapes);
    const known = this.#captured.get(key);
    if (known && known.shapes !== shapes) this.#drop(key);
    const own = this.#load(shapes, inputs);
    if (known?.shapes !== shapes) return this.#capture(key, shapes, () => work(own));
    this.#captured.delete(key);
    this.#captured.set(key, known);
    known.program.run();
    return known.result;
  }

  /** Gives all storage back, the last results too: what is run next is captured anew. */
  release(): void {
    for (const key of [...this.#captured.keys()]) this.#drop(key);
  }

  #capture(key: string, shapes: string, work: () => T): T {
    const [oldest] = this.#captured.keys();
    const [beside] = this.#captured.values();
    try {
      const { program, result } = this.#device.capture(work, { beside: beside?.program ?? null, lean: true });
      this.#captured.set(key, { program, result, shapes });
      if (this.#captured.size > this.#most) this.#drop(oldest!);
      return result;
    } catch (error) {
      this.#forget(shapes);
      throw error;
    }
  }

  /** Copies the inputs to where programs of their shapes read them. */
  #load(shapes: string, inputs: readonly Tensor[]): readonly Tensor[] {
    const device = this.#device;
    let own = this.#inputs.get(shapes);
    if (!own) this.#inputs.set(shapes, (own = inputs.map(({ shape, dtype }) => empty(device, shape, dtype))));
    inputs.forEach((from, i) => {
      const bytes = Math.ceil(bytesOf(from) / 4) * 4; // which buffers have room for
      if (bytes > 0) device.copy(from.allocation.buffer, 0, own[i]!.allocation.buffer, 0, bytes);
    });
    return own;
  }

  #drop(key: string): void {
    const { program, shapes } = this.#captured.get(key)!;
    program.release();
    this.#captured.delete(key);
    this.#forget(shapes);
  }

  /**
   * Whether a scope that was open when they were made has taken inputs back, without which their programs cannot run.
   */
  #isLost(shapes: string): boolean {
    return this.#inputs.get(shapes)?.some(({ allocation }) => allocation.isReleased) ?? false;
  }

  #dropAll(shapes: string): void {
    for (const [key, captured] of [...this.#captured]) if (captured.shapes === shapes) this.#drop(key);
  }

  /** Releases inputs that no program reads. */
  #forget(shapes: string): void {
    if ([...this.#captured.values()].some((captured) => captured.shapes === shapes)) return;
    this.#inputs.get(shapes)?.forEach(release);
    this.#inputs.delete(shapes);
  }
}
