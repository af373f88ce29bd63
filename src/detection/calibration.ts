import { DivergedError, OptionError } from "../runtime/errors.ts";
import { meanOf, supportedRate, upperBound } from "./upper_bound.ts";

/** Statistics of the scores of a class's good images. */
export interface GoodScores {
  /** Above it an image is called defective. */
  readonly threshold: number;
  /** The geometric mean of good images. */
  readonly typical: number;
  /**
   * A pixel of the map above it belongs to a defect. It is set so that the peak of a new good image exceeds it at the
   * false-reject rate.
   */
  readonly pixelThreshold: number;
}

/** The meaning of scores and maps, measured on good images held out of training. */
export interface Calibration extends GoodScores {
  /**
   * Expected share of new good images that the thresholds reject; the largest one of several classes.
   */
  readonly falseReject: number;
  readonly classes: Readonly<Record<string, GoodScores>>;
  /**
   * Map values drawn as transparent (the typical peak of good images) and as the strongest heat; the scale between is
   * logarithmic and the same for all images.
   */
  readonly heat: readonly [low: number, high: number];
}

/** Score and peak of a good image that sets thresholds. */
export interface HeldOut {
  readonly className: string;
  readonly score: number;
  /** The largest value of its map. */
  readonly peak: number;
  /** True for an image that was added to those of an earlier training. Default false. */
  readonly added?: boolean;
}

/** A placeholder for a detector that is still being trained. */
export const NOT_CALIBRATED: Calibration = {
  falseReject: 0,
  threshold: 1,
  typical: 0.5,
  pixelThreshold: 1,
  classes: {},
  heat: [0, 1],
};

const HEAT_RANGE = 12; // the strongest heat, in units of the weakest
const TYPICAL_CALIBRATED = 0.1;
const LEAST_STD = 1e-3; // of logarithms of scores, where a slope is divided by it

/**
 * Computes thresholds and scales from good images held out of training. Images of unknown class use the highest
 * threshold of all classes. A class with too few images for the false-reject rate gets the lowest rate that they
 * support. A score or peak of exactly 0, such as that of a copy of a training image, counts as the lowest of its class
 * above 0. Images that were added to those of an earlier training raise a threshold by at most half (`upperBound`), and do
 * not count as typical ones.
 * @param falseReject share of good images to reject, in (0, 0.5]
 * @throws OptionError for a share out of range, no images, or a class of which all score 0, as images do that a model
 * was fitted to and knows by heart; DivergedError for a score or peak that is negative or not finite, or scores so far
 * apart that no threshold can be computed
 */
export function calibrationOf(images: readonly HeldOut[], falseReject: number): Calibration {
  if (!(falseReject > 0 && falseReject <= 0.5))
    throw new OptionError(`expected a false-reject rate above 0 and at most 0.5, got ${falseReject}`);
  if (images.length === 0) throw new OptionError("calibrationOf: expected at least one image, got none");
  const byClass = new Map<string, HeldOut[]>();
  for (const image of images) {
    const { className, score, peak } = image;
    if (!(isScore(score) && isScore(peak))) {
      throw new DivergedError(
        `calibration: expected scores of good images of at least 0, one of class ${className} has ${score}, with a peak of ${peak}`,
      );
    }
    byClass.set(className, [...(byClass.get(className) ?? []), image]);
  }
  for (const [name, members] of byClass) byClass.set(name, aboveZero(name, members));
  const classes = Object.fromEntries(
    [...byClass].map(([name, members]) => [name, measuredScores(name, members, falseReject)]),
  );
  const all = [...byClass.values()].flat();
  const original = all.filter(({ added }) => !added);
  const typicalPeak = Math.exp(meanOf((original.length > 0 ? original : all).map(({ peak }) => Math.log(peak))));
  const rate = Math.max(falseReject, ...[...byClass.values()].map(({ length }) => supportedRate(length)));
  return { falseReject: rate, ...strictest(classes), classes, heat: [typicalPeak, HEAT_RANGE * typicalPeak] };
}

/**
 * Names a class of images as a calibration does: whatever its name, if there is but one.
 * @throws OptionError for a class that is not one of several
 */
export function calibratedClass({ classes }: Calibration, className: string): string {
  if (Object.hasOwn(classes, className)) return className;
  const [first, ...others] = Object.keys(classes);
  if (first !== undefined && others.length === 0) return first;
  throw new OptionError(
    `calibration: the model has no class ${className}; it has ${[first, ...others].join(", ")}: name the images' folders as those that it was trained on`,
  );
}

/**
 * Computes thresholds anew from good images of classes of `before`, and keeps those of the classes without any. The
 * scale of heat maps changes only where no class is kept.
 * @param falseReject share of good images to reject, in (0, 0.5]
 * @throws OptionError and DivergedError as `calibrationOf`
 */
export function recalibrated(before: Calibration, images: readonly HeldOut[], falseReject: number): Calibration {
  const fresh = calibrationOf(images, falseReject);
  if (Object.keys(before.classes).every((name) => Object.hasOwn(fresh.classes, name))) return fresh;
  const classes = { ...before.classes, ...fresh.classes };
  const rate = Math.max(before.falseReject, fresh.falseReject);
  return { falseReject: rate, ...strictest(classes), classes, heat: before.heat };
}

/** The scores that serve images of unknown class: those of the class with the highest threshold. */
function strictest(classes: Calibration["classes"]): GoodScores {
  const all = Object.values(classes);
  const highest = all.reduce((a, b) => (b.threshold > a.threshold ? b : a));
  return { ...highest, pixelThreshold: Math.max(...all.map(({ pixelThreshold }) => pixelThreshold)) };
}

/** A class's images, with the least score and peak above 0 in place of 0. */
function aboveZero(name: string, members: readonly HeldOut[]): HeldOut[] {
  const least = (of: "score" | "peak"): number => Math.min(...members.map((image) => image[of]).filter(isPositive));
  const [score, peak] = [least("score"), least("peak")];
  if (Number.isFinite(score) && Number.isFinite(peak))
    return members.map((image) => ({ ...image, score: image.score || score, peak: image.peak || peak }));
  throw new OptionError(
    `calibration: all ${members.length} good images of class ${name} that are to set the threshold score 0, as images do that the model was fitted to and knows by heart: set folds to at least 2, so that images are held out, or train on different ones`,
  );
}

function measuredScores(name: string, members: readonly HeldOut[], falseReject: number): GoodScores {
  const logarithms = (of: "score" | "peak", isAdded: boolean): number[] =>
    members.filter(({ added = false }) => added === isAdded).map((image) => Math.log(image[of]));
  const boundOf = (of: "score" | "peak"): number =>
    Math.exp(upperBound(logarithms(of, false), logarithms(of, true), falseReject));
  const typical = [logarithms("score", false), logarithms("score", true)].find(({ length }) => length > 0)!;
  const good = { threshold: boundOf("score"), typical: Math.exp(meanOf(typical)), pixelThreshold: boundOf("peak") };
  if (Object.values(good).every(isPositive)) return good;
  throw new DivergedError(
    `calibration: scores of ${members.length} good images of class ${name} differ too much for a threshold: it would be ${good.threshold}`,
  );
}

const WIDE = 10; // thresholds of images that resemble each other are a few times a typical score

/**
 * Says that held-out good images scored so differently that a threshold lies far above a typical one; null if none
 * does.
 */
export function describeSpread({ classes }: Calibration): string | null {
  const ratios = Object.entries(classes).map(([name, { threshold, typical }]) => [threshold / typical, name] as const);
  const [ratio, name] = ratios.reduce((a, b) => (b[0] > a[0] ? b : a), [0, ""]);
  if (!(ratio > WIDE)) return null;
  return (
    `${Number(ratio.toPrecision(2))} times the score of a typical good image of class ${name}, because those held out differ widely: ` +
    "defects that score less are missed; train on more good images, or leave out the odd ones"
  );
}

/** True if a number is finite and at least 0, as scores and maps are. */
export const isScore = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;

const LARGEST = 2 ** 128; // beyond what f32 holds

/** True if a number is positive, and one that a score can exceed, as thresholds are: scores are f32. */
export const isPositive = (value: unknown): value is number =>
  Number.isFinite(value) && (value as number) > 0 && (value as number) < LARGEST;

/** A class's scores; those of all classes together if it was not trained on. */
export const goodScoresOf = (calibration: Calibration, className: string): GoodScores =>
  Object.hasOwn(calibration.classes, className) ? calibration.classes[className]! : calibration;

/**
 * Maps a score to 0..1: 0.5 at the threshold, 0.1 at a typical good image; a logistic function of the score's
 * logarithm.
 * @param good scores of the image's class, or the calibration itself
 */
export function calibratedScore(score: number, good: Pick<GoodScores, "threshold" | "typical">): number {
  return 1 / (1 + (good.threshold / score) ** steepnessOf(good));
}

/**
 * Thresholds for a calibrated score: an image above `calibrated` is defective. 0.5 gives the model's own thresholds.
 * The pixel threshold moves by the same factor.
 * @param calibrated above 0 and below 1
 */
export function thresholdsAt(good: GoodScores, calibrated: number): Pick<GoodScores, "threshold" | "pixelThreshold"> {
  const factor = (calibrated / (1 - calibrated)) ** (1 / steepnessOf(good));
  return { threshold: factor * good.threshold, pixelThreshold: factor * good.pixelThreshold };
}

/**
 * Slope of the logistic function: a calibrated score is 1 / (1 + (threshold / score) ** steepness). It is positive and
 * finite even if typical good images score as high as the threshold, as at a false-reject rate of one half.
 */
export const steepnessOf = ({ threshold, typical }: Pick<GoodScores, "threshold" | "typical">): number =>
  Math.log(1 / TYPICAL_CALIBRATED - 1) / Math.max(Math.log(threshold / typical), LEAST_STD);
