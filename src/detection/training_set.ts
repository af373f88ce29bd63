import { nonFinite } from "../tensor/finite.ts";
import { InputError } from "../runtime/errors.ts";
import { ChannelStatistics } from "./features.ts";

const LEAST_VARIANCE = 1e-12; // of the mean square: below lies what f32 rounds, and 8-bit images differ by more
const LARGE = 1e9; // features whose losses come near to what f32 holds

/** Good images of a class. */
interface Members {
  count: number;
  /** Images of one even colour each. */
  even: number;
  /** Images with the same features, by their fingerprint. */
  readonly alike: Map<string, number>;
}

const FEW = 3; // images of a class, up to which some may be copies of another

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
   * Adds the features of an image, of one of its tiles, or of a turned or mirrored copy.
   * @param values `[..., C]`
   * @param name the image's, for errors
   * @returns their fingerprint, for `addImage`
   * @throws InputError if they hold NaN or infinity
   */
  addFeatures(values: Float32Array, name: string): string {
    requireFinite(values, name);
    this.statistics.add(values);
    for (const value of values) this.#largest = Math.max(this.#largest, Math.abs(value));
    return fingerprint(values);
  }

  /**
   * Adds an image whose features have been added.
   * @param prints their fingerprints
   * @param isEven the image is of one even colour
   */
  addImage(className: string, prints: readonly string[], isEven = false): void {
    const members = this.#classes.get(className) ?? { count: 0, even: 0, alike: new Map<string, number>() };
    this.#classes.set(className, members);
    members.count++;
    if (isEven) members.even++;
    const print = prints.join(" ");
    members.alike.set(print, (members.alike.get(print) ?? 0) + 1);
  }

  /**
   * @throws InputError where all images of a class are the same, or most of many: errors of the few others would set
   * the threshold, far above those of any defect; or where none of them, or of a class, shows anything
   */
  requireVariety(): void {
    const { means, variances } = this.statistics;
    const [squares, variance] = [
      means.reduce((sum, mean) => sum + mean * mean, 0),
      variances.reduce((sum, v) => sum + v, 0),
    ];
    const count = [...this.#classes.values()].reduce((sum, members) => sum + members.count, 0);
    if (!(variance > LEAST_VARIANCE * (squares + variance))) {
      throw new InputError(
        `all ${count} good images show one and the same even colour, of which nothing can be learned: train on photographs of the object`,
      );
    }
    for (const [className, members] of this.#classes) {
      if (members.even === members.count && members.count > 1) {
        throw new InputError(
          `all ${members.count} good images of class ${className} show one even colour each, of which nothing can be learned: train on photographs of the object, or leave the class out`,
        );
      }
      const same = Math.max(...members.alike.values());
      if (members.count === 1 || (same < members.count && (members.count <= FEW || 2 * same <= members.count)))
        continue;
      const share = same === members.count ? `all ${same}` : `${same} of ${members.count}`;
      const remedy = "train on different photographs of it, or leave the class out";
      throw new InputError(
        `${share} good images of class ${className} are the same picture, which does not show how good ones differ: ${remedy}`,
      );
    }
  }

  /** A property of the features that may have made a training diverge, with a remedy; null if there is none. */
  get problem(): string | null {
    if (this.#largest < LARGE) return null;
    const remedy = "check the weights of the backbone, which are damaged or were not made for such images";
    return `the images' features reach ${this.#largest.toPrecision(3)}, too much for losses in f32: ${remedy}`;
  }
}

/** 64 bits of a hash of features, in two halves: equal for equal ones. */
export function fingerprint(values: Float32Array): string {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const word of bits) {
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + word, 0x85ebca6b);
    b ^= b >>> 13;
  }
  return `${a >>> 0}-${b >>> 0}`;
}

/**
 * Requires that an image's features are finite.
 * @param name the image's, for errors
 * @throws InputError if they hold NaN or infinity
 */
export function requireFinite(values: Float32Array, name: string): void {
  const wrong = nonFinite(values);
  if (wrong)
    throw new InputError(
      `training: features of ${name} hold ${wrong}: check the weights of the backbone, which may be damaged`,
    );
}
