import { studentQuantile, studentTail } from "../metrics/student.ts";

/**
 * The usual spread of good images' scores, standard deviation of logarithms, which counts as that of so many images:
 * few images show too little or too much of it by chance. Measured on four sets (docs/notes/nearest-good.md).
 */
const USUAL = { std: 0.15, images: 4 };
const ENOUGH_REJECTED = 5; // good images expected above the threshold, from which the empirical quantile is used
const MOST_STDS = 5; // above the mean of good images' scores, up to which the fitted distribution is trusted
const MOST_IMAGES = 1000; // beyond, the rate that five standard deviations support hardly changes
const MOST_RISE = Math.log(1.5); // of a threshold, for added images that the model has not learned

/**
 * The lowest false-reject rate that a number of held-out images of a class supports. Their order statistics reach
 * 1 / (count + 1); below that, the tail of the fitted distribution is trusted up to five standard deviations. 0.37 %
 * for one image, 0.21 % for two, 0.08 % for four, 0.008 % for twelve.
 * @param count images, at least 1
 */
export const supportedRate = (count: number): number => studentTail(MOST_STDS, freedomOf(count));

/** The fewest held-out images of a class that support a false-reject rate. */
export function imagesFor(falseReject: number): number {
  for (let count = 1; count <= MOST_IMAGES; count++) if (supportedRate(count) <= falseReject) return count;
  return Math.ceil(ENOUGH_REJECTED / falseReject);
}

/**
 * The value that a new one exceeds with the given probability: the empirical quantile if there are enough values, else
 * the upper end of a prediction interval. Values of images that were added are a group of their own, as they were added
 * because they scored otherwise: the interval is that of the mixture, and at most half above the bound of the others,
 * because defects that score less would be missed.
 * @param values logarithms of scores, since ratios of errors matter
 * @param added the same, of added images
 */
export function upperBound(values: readonly number[], added: readonly number[], probability: number): number {
  const bound = boundOfAll(values, added, probability);
  if (values.length === 0 || added.length === 0) return bound;
  return Math.min(bound, boundOfAll(values, [], probability) + MOST_RISE);
}

function boundOfAll(values: readonly number[], added: readonly number[], probability: number): number {
  const all = [...values, ...added];
  if (all.length * probability >= ENOUGH_REJECTED) {
    const sorted = all.sort((a, b) => a - b);
    return sorted[Math.min(all.length - 1, Math.ceil((all.length + 1) * (1 - probability)) - 1)]!;
  }
  const share = Math.max(probability, supportedRate(all.length));
  if (values.length === 0 || added.length === 0) return boundOf(predictionOf(all), share);
  const [first, second] = [predictionOf(values), predictionOf(added)];
  const bounds = [first, second].map((one) => boundOf(one, share));
  let [low, high] = [Math.min(...bounds), Math.max(...bounds)];
  for (let i = 0; i < 48; i++) {
    const middle = (low + high) / 2;
    const beyond = (values.length * tailOf(first, middle) + added.length * tailOf(second, middle)) / all.length;
    if (beyond > share) low = middle;
    else high = middle;
  }
  return high;
}

/** Distribution of one more value: Student's t about a mean, in units of a standard deviation. */
export interface Prediction {
  readonly mean: number;
  readonly std: number;
  /** Degrees of freedom. */
  readonly freedom: number;
}

/**
 * Predicts one more of some normal values, whose spread was known before: as that of so many further images.
 * @see Gelman et al., "Bayesian Data Analysis", 3.3: the scaled inverse chi-squared prior of a variance
 */
export function predictionOf(values: readonly number[]): Prediction {
  const count = values.length;
  const mean = meanOf(values);
  const freedom = freedomOf(count);
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) + USUAL.images * USUAL.std ** 2;
  return { mean, std: Math.sqrt((squares / freedom) * (1 + 1 / count)), freedom };
}

const boundOf = ({ mean, std, freedom }: Prediction, probability: number): number =>
  mean + studentQuantile(1 - probability, freedom) * std;

function tailOf({ mean, std, freedom }: Prediction, value: number): number {
  const distance = (value - mean) / std;
  return distance >= 0 ? studentTail(distance, freedom) : 1 - studentTail(-distance, freedom);
}

const freedomOf = (count: number): number => Math.max(1, count) - 1 + USUAL.images;

/** The mean of some numbers. */
export const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
