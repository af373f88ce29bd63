import type { Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import type { ImageScores } from "./scoring.ts";
import { bytesOf, empty, release, type Tensor } from "../tensor/tensor.ts";

/** How a batch is judged: of images, and what counts in their maps, or null where everything does. */
export type Judge = (images: Tensor, counted: Tensor | null) => ImageScores;

interface Captured {
  readonly program: Program;
  /** Where a run finds its batch. */
  readonly inputs: readonly Tensor[];
  readonly judgement: ImageScores;
}

const MOST = 4; // batches of one size, the rest of them, and both where only a part of the images counts

/**
 * A judge that is captured for each batch's shape and then run again, which decides and allocates nothing. The last few shapes are kept;
 * they share their memory.
 */
export class CapturedJudge {
  readonly #device: Device;
  readonly #judge: Judge;
  readonly #captured = new Map<string, Captured>(); // the last used is last

  constructor(device: Device, judge: Judge) {
    this.#device = device;
    this.#judge = judge;
  }

  /** Whether batches of that shape were judged before, not long ago. */
  knows(images: number, counted: boolean): boolean {
    return this.#captured.has(keyOf(images, counted));
  }

  /** Judges a batch, which may be released afterwards. The judgement stays where it is until the next batch. */
  run(images: Tensor, counted: Tensor | null): ImageScores {
    const key = keyOf(images.shape[0]!, counted !== null);
    const batch = counted ? [images, counted] : [images];
    const known = this.#captured.get(key);
    if (!known) return this.#capture(key, batch);
    this.#captured.delete(key);
    this.#captured.set(key, known);
    this.#load(batch, known.inputs);
    known.program.run();
    return known.judgement;
  }

  /** Gives all storage back, the last judgement's too. */
  release(): void {
    for (const key of [...this.#captured.keys()]) this.#drop(key);
  }

  #capture(key: string, batch: readonly Tensor[]): ImageScores {
    const [oldest] = this.#captured.keys();
    const [beside] = this.#captured.values();
    const inputs = batch.map(({ shape, dtype }) => empty(this.#device, shape, dtype));
    this.#load(batch, inputs);
    const { program, result: judgement } = this.#device.capture(() => {
      using scope = this.#device.scope();
      const made = this.#judge(inputs[0]!, inputs[1] ?? null);
      for (const tensor of Object.values<Tensor>({ ...made })) scope.keep(tensor);
      return made;
    }, { beside: beside?.program ?? null, lean: true });
    if (this.#captured.size === MOST) this.#drop(oldest!);
    this.#captured.set(key, { program, inputs, judgement });
    return judgement;
  }

  #load(batch: readonly Tensor[], inputs: readonly Tensor[]): void {
    batch.forEach((from, i) => this.#device.copy(from.allocation.buffer, 0, inputs[i]!.allocation.buffer, 0, bytesOf(from)));
  }

  #drop(key: string): void {
    const { program, inputs } = this.#captured.get(key)!;
    program.release();
    inputs.forEach(release);
    this.#captured.delete(key);
  }
}

const keyOf = (images: number, counted: boolean): string => `${images} ${counted}`;
