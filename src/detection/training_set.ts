import { nonFinite } from "../nn/weights.ts";
import { InputError } from "../runtime/errors.ts";
import { ChannelStatistics } from "./features.ts";

const LEAST_VARIANCE = 1e-12; // of the mean square: below lies what f32 rounds, and 8-bit images differ by more
const LARGE = 1e9; // features whose losses come near to what f32 holds

/** Good images of a class. */
interface Members {
  count: number;
  /** Features of the first one, as long as all others have the same. */
  same: Float32Array | null;
}

/** The features of the good images, as they are read: whether anything can be learned from them. */
export class TrainingSet {
  readonly statistics: ChannelStatistics;
  readonly #classes = new Map<string, Members>();
  #largest = 0;

  /** @param channels of the features */
  constructor(channels: number) {
    this.statistics = new ChannelStatistics(channels);
  }

  /**
   * Adds an image.
   * @param values its features, `[..., C]`, which are kept
   * @param name the image's, for errors
   * @throws InputError if they hold NaN or infinity
   */
  add(values: Float32Array, className: string, name: string): void {
    requireFinite(values, name);
    this.statistics.add(values);
    for (const value of values) this.#largest = Math.max(this.#largest, Math.abs(value));
    const members = this.#classes.get(className);
    if (!members) {
      this.#classes.set(className, { count: 1, same: values });
      return;
    }
    members.count++;
    if (members.same?.some((value, i) => value !== values[i])) members.same = null;
  }

  /** @throws InputError where all images of a class are the same, or none of them shows anything */
  requireVariety(): void {
    const { means, variances } = this.statistics;
    const [squares, variance] = [means.reduce((sum, mean) => sum + mean * mean, 0), variances.reduce((sum, v) => sum + v, 0)];
    const count = [...this.#classes.values()].reduce((sum, members) => sum + members.count, 0);
    if (!(variance > LEAST_VARIANCE * (squares + variance))) {
      throw new InputError(`all ${count} good images show one and the same even colour, of which nothing can be learned: train on photographs of the object`);
    }
    for (const [className, { count, same }] of this.#classes) {
      if (count === 1 || same === null) continue;
      const remedy = "train on different photographs of it, or leave the class out";
      throw new InputError(`all ${count} good images of class ${className} are the same picture, which does not show how good ones differ: ${remedy}`);
    }
  }

  /** What of the features may be the reason that a training diverged, and what to do; null where nothing is. */
  get problem(): string | null {
    if (this.#largest < LARGE) return null;
    const remedy = "check the weights of the backbone, which are damaged or were not made for such images";
    return `the images' features reach ${this.#largest.toPrecision(3)}, too much for losses in f32: ${remedy}`;
  }
}

/**
 * Requires that an image's features are finite.
 * @param name the image's, for errors
 * @throws InputError if they hold NaN or infinity
 */
export function requireFinite(values: Float32Array, name: string): void {
  const wrong = nonFinite(values);
  if (wrong) throw new InputError(`training: features of ${name} hold ${wrong}: check the weights of the backbone, which may be damaged`);
}
