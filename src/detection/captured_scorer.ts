import type { Device } from "../runtime/device.ts";
import { CapturedWork } from "../tensor/captured.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageScores } from "./scoring.ts";

/** Scores a batch of images; `counted` marks the pixels that count in their maps, null if all do. */
export type Scorer = (images: Tensor, counted: Tensor | null) => ImageScores;

const MOST = 4; // batches of one size, the rest of them, and both where only a part of the images counts

/** Scores batches: captured for each batch's shape, then run again. The last few shapes are kept. */
export class CapturedScorer {
  readonly #score: Scorer;
  readonly #captured: CapturedWork<ImageScores>;
  readonly #device: Device;

  constructor(device: Device, scorer: Scorer) {
    this.#device = device;
    this.#score = scorer;
    this.#captured = new CapturedWork(device, MOST);
  }

  /** True if a batch of that shape is still captured. */
  knows(images: number, counted: boolean): boolean {
    return this.#captured.knows(keyOf(images, counted));
  }

  /** Scores a batch, which may be released afterwards. The scores stay where they are until the next batch. */
  run(images: Tensor, counted: Tensor | null): ImageScores {
    const key = keyOf(images.shape[0]!, counted !== null);
    return this.#captured.run(key, counted ? [images, counted] : [images], ([images, counted]) =>
      this.#device.tidy(() => this.#score(images!, counted ?? null)),
    );
  }

  /** Gives all storage back, the last scores too. */
  release(): void {
    this.#captured.release();
  }
}

const keyOf = (images: number, counted: boolean): string => `${images} ${counted}`;
