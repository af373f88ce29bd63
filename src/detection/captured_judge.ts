import type { Device } from "../runtime/device.ts";
import { CapturedWork } from "../tensor/captured.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageScores } from "./scoring.ts";

/** How a batch is judged: of images, and what counts in their maps, or null where everything does. */
export type Judge = (images: Tensor, counted: Tensor | null) => ImageScores;

const MOST = 4; // batches of one size, the rest of them, and both where only a part of the images counts

/** A judge that is captured for each batch's shape and then run again. The last few shapes are kept. */
export class CapturedJudge {
  readonly #judge: Judge;
  readonly #captured: CapturedWork<ImageScores>;
  readonly #device: Device;

  constructor(device: Device, judge: Judge) {
    this.#device = device;
    this.#judge = judge;
    this.#captured = new CapturedWork(device, MOST);
  }

  /** Whether batches of that shape were judged before, not long ago. */
  knows(images: number, counted: boolean): boolean {
    return this.#captured.knows(keyOf(images, counted));
  }

  /** Judges a batch, which may be released afterwards. The judgement stays where it is until the next batch. */
  run(images: Tensor, counted: Tensor | null): ImageScores {
    const key = keyOf(images.shape[0]!, counted !== null);
    return this.#captured.run(key, counted ? [images, counted] : [images], ([images, counted]) =>
      this.#device.tidy(() => this.#judge(images!, counted ?? null)),
    );
  }

  /** Gives all storage back, the last judgement's too. */
  release(): void {
    this.#captured.release();
  }
}

const keyOf = (images: number, counted: boolean): string => `${images} ${counted}`;
