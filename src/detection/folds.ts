/** A good image of a training set, or a tile of one. */
export interface TrainingSample {
  readonly className: string;
  /** Index of its features in the store. */
  readonly index: number;
  /** Number of its photograph: the tiles of one photograph have the same. */
  readonly photograph: number;
}

/** The samples of each photograph, in their order. */
export function byPhotograph(samples: readonly TrainingSample[]): readonly (readonly TrainingSample[])[] {
  const photographs = new Map<number, TrainingSample[]>();
  for (const sample of samples) {
    const known = photographs.get(sample.photograph);
    if (known) known.push(sample);
    else photographs.set(sample.photograph, [sample]);
  }
  return [...photographs.values()];
}

/** One model's training set, and the samples that it scores afterwards: all of some photographs. */
export interface PlannedFit {
  readonly training: readonly TrainingSample[];
  readonly heldOut: readonly TrainingSample[];
}

const HELD_OUT = 5; // every fifth good photograph calibrates instead of training
const LEAST_TO_SPLIT = 10; // photographs of a class

/**
 * Plans the models to train and their photographs. The last model is the detector's; of large classes, every fifth
 * photograph is held out of its training. Small classes train on all of them; their thresholds come from
 * cross-validation. The tiles of a photograph stay together: its neighbours would give it away.
 * @param folds of the cross-validation; 0: small classes are calibrated on their training images
 */
export function planFits(samples: readonly TrainingSample[], folds: number): PlannedFit[] {
  const counts = new Map<string, number>(); // photographs of each class
  const nth = new Map<number, number>(); // of a photograph in its class
  for (const { className, photograph } of samples) {
    if (nth.has(photograph)) continue;
    const count = counts.get(className) ?? 0;
    nth.set(photograph, count);
    counts.set(className, count + 1);
  }
  const isFew = ({ className }: TrainingSample): boolean => counts.get(className)! < LEAST_TO_SPLIT;
  const few = samples.filter(isFew);
  const calibrates = (sample: TrainingSample): boolean =>
    !isFew(sample) && nth.get(sample.photograph)! % HELD_OUT === HELD_OUT - 1;
  const last: PlannedFit = {
    training: samples.filter((sample) => !calibrates(sample)),
    heldOut: samples.filter(calibrates),
  };
  if (few.length === 0) return [last];
  if (folds === 0) return [{ ...last, heldOut: [...last.heldOut, ...few] }];
  const parts = Math.min(folds, LEAST_TO_SPLIT - 1); // no class with few has more photographs
  const fits = Array.from({ length: parts }, (_, fold): PlannedFit => {
    const isHeldOut = (sample: TrainingSample): boolean =>
      isFew(sample) && nth.get(sample.photograph)! % parts === fold;
    return {
      training: last.training.filter((sample) => !isHeldOut(sample)),
      heldOut: few.filter(isHeldOut),
    };
  });
  return [...fits.filter(({ heldOut, training }) => heldOut.length > 0 && training.length > 0), last];
}
