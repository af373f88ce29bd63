import type { CapturePlan, Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import { bytesOf, empty, release, requireLive, type DType, type Shape, type Tensor } from "./tensor.ts";

interface Captured<T> {
  readonly program: Program;
  readonly result: T;
  /** Shapes and dtypes of the inputs. */
  readonly shapes: string;
}

/** An input of work that is yet to be captured. */
export interface CapturedInput {
  readonly shape: Shape;
  readonly dtype: DType;
}

const shapesOf = (inputs: readonly CapturedInput[]): string =>
  inputs.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join(" ");

/**
 * Captures work on tensors once for each shape of its inputs and then repeats it without host decisions or allocations.
 * Each run copies its inputs to where the program reads them. All programs share their memory. Of the tensors that the
 * work makes, only those that it returns are kept.
 */
export class CapturedWork<T> {
  readonly #device: Device;
  readonly #most: number;
  readonly #inputs = new Map<string, readonly Tensor[]>(); // by shapes
  readonly #captured = new Map<string, Captured<T>>(); // most recently used last
  readonly #plans = new Map<string, { readonly shapes: string; readonly plan: CapturePlan }>(); // by key

  /** @param most capacity; beyond it the least recently used program is released */
  constructor(device: Device, most = Infinity) {
    this.#device = device;
    this.#most = most;
  }

  /** True if the work with that key is captured and can be repeated. */
  knows(key: string): boolean {
    const captured = this.#captured.get(key);
    return captured !== undefined && !this.#isLost(captured.shapes);
  }

  /**
   * Compiles ahead, in parallel, the kernels that work on such inputs takes, unless it is captured already. To capture
   * it, `run` then calls it once instead of twice.
   * @param key and `work` as for `run`
   */
  async prepare(
    key: string,
    inputs: readonly CapturedInput[],
    work: (inputs: readonly Tensor[]) => unknown,
  ): Promise<void> {
    if (this.knows(key)) return;
    const device = this.#device;
    const plan = await device.planCapture(
      (own: readonly Tensor[]) => device.tidy(() => work(own)),
      () => inputs.map(({ shape, dtype }) => empty(device, shape, dtype)),
    );
    this.#plans.set(key, { shapes: shapesOf(inputs), plan });
  }

  /**
   * Runs work on inputs, which may be released afterwards.
   * @param key identifies the kind of work: equal keys must mean the same work. Inputs of other shapes are captured
   *   anew
   * @param work called only to capture it, with tensors like the inputs, in the same order
   * @throws ReleasedError for a released input
   * @returns the result of `work`. Its tensors keep their place; the next run, with any key, may overwrite them
   */
  run(key: string, inputs: readonly Tensor[], work: (inputs: readonly Tensor[]) => T): T {
    requireLive("captured work", Object.fromEntries(inputs.map((input, i) => [`input ${i}`, input])));
    const shapes = shapesOf(inputs);
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

  /** Releases all storage, including the last results; later runs are captured anew. */
  release(): void {
    for (const key of [...this.#captured.keys()]) this.#drop(key);
    this.#plans.clear();
  }

  #capture(key: string, shapes: string, work: () => T): T {
    const [oldest] = this.#captured.keys();
    const [beside] = this.#captured.values();
    const planned = this.#plans.get(key);
    const lean = planned?.shapes === shapes ? planned.plan : true;
    try {
      const { program, result } = this.#device.capture(() => this.#device.tidy(work), {
        beside: beside?.program ?? null,
        lean,
      });
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
      const bytes = Math.ceil(bytesOf(from) / 4) * 4; // their buffers are that large
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
   * True if a scope that was open when the program's inputs were made has released them, so that their programs cannot
   * run.
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
