import type { Cut } from "./cut.ts";

/** Features of a photograph, or of one of its tiles, in the store. */
export interface StoredView {
  /** Index of its features. */
  readonly index: number;
  /** Indices of the features of its turned and mirrored copies, which are trained on wherever it is. */
  readonly copies: readonly number[];
}

/** A good photograph of a training set. */
export interface TrainingSample {
  readonly className: string;
  /** As it was given, or its number and class. */
  readonly name: string;
  /** Its tiles; null where it is seen as a whole. */
  readonly cut: Cut | null;
  /** One for each of its tiles, or one. */
  readonly views: readonly StoredView[];
}

/** One model's training set, and the photographs that it scores afterwards. */
export interface PlannedFit {
  readonly training: readonly TrainingSample[];
  readonly heldOut: readonly TrainingSample[];
}

const HELD_OUT = 5; // every fifth good photograph calibrates instead of training
const LEAST_TO_SPLIT = 10; // photographs of a class
const NOTHING: PlannedFit = { training: [], heldOut: [] };

/**
 * Plans the models to train and their photographs. The last model is the detector's; of large classes, every fifth
 * photograph is held out of its training. Small classes train on all of them; their thresholds come from
 * cross-validation. The tiles of a photograph stay together: its neighbours would give a tile away.
 * @param folds of the cross-validation; 0: small classes are calibrated on their training images
 * @param settled images that every model is trained on, and images that the last one scores
 */
export function planFits(samples: readonly TrainingSample[], folds: number, settled = NOTHING): PlannedFit[] {
  const byClass = new Map<string, TrainingSample[]>();
  for (const sample of samples) {
    const members = byClass.get(sample.className);
    if (members) members.push(sample);
    else byClass.set(sample.className, [sample]);
  }
  const nth = new Map([...byClass.values()].flatMap((members) => members.map((sample, i) => [sample, i] as const)));
  const isFew = ({ className }: TrainingSample): boolean => byClass.get(className)!.length < LEAST_TO_SPLIT;
  const few = samples.filter(isFew);
  const calibrates = (sample: TrainingSample): boolean =>
    !isFew(sample) && nth.get(sample)! % HELD_OUT === HELD_OUT - 1;
  const last: PlannedFit = {
    training: [...settled.training, ...samples.filter((sample) => !calibrates(sample))],
    heldOut: [...settled.heldOut, ...samples.filter(calibrates)],
  };
  if (few.length === 0) return [last];
  if (folds === 0) return [{ ...last, heldOut: [...last.heldOut, ...few] }];
  const parts = Math.min(folds, LEAST_TO_SPLIT - 1); // no class with few has more photographs
  const fits = Array.from({ length: parts }, (_, fold): PlannedFit => {
    const heldOut = few.filter((sample) => nth.get(sample)! % parts === fold);
    const left = new Set(heldOut);
    return { training: last.training.filter((sample) => !left.has(sample)), heldOut };
  });
  return [...fits.filter(({ heldOut, training }) => heldOut.length > 0 && training.length > 0), last];
}

/** The indices of a training set's features: those of each view, followed by its copies. */
export const featuresOf = (samples: readonly TrainingSample[]): readonly number[] =>
  samples.flatMap(({ views }) => views.flatMap(({ index, copies }) => [index, ...copies]));
