import { OptionError } from "../runtime/errors.ts";

/**
 * Step decay: the learning rate relative to the initial one, multiplied by `factor` every `every` epochs.
 *
 * @param epoch finished epochs, from 0
 * @returns factor ^ floor(epoch / every)
 * @throws OptionError unless `every` is a whole number of at least 1 and the factor is a number
 * @see torch.optim.lr_scheduler.StepLR
 */
export function stepLearningRate(
  epoch: number,
  { every, factor }: { readonly every: number; readonly factor: number },
): number {
  if (!(Number.isInteger(every) && every >= 1 && Number.isFinite(factor))) {
    throw new OptionError(
      `stepLearningRate: expected every >= 1, a whole number, and a finite factor, got ${every} and ${factor}`,
    );
  }
  return factor ** Math.floor(epoch / every);
}

/**
 * Cosine decay: the learning rate relative to the initial one, falling along half a cosine to `least`.
 *
 * @param epoch finished epochs, from 0; beyond `epochs` it stays at `least`
 * @param least final share. Default 0
 * @throws OptionError unless epochs > 0 and `least` is in [0, 1]
 * @see torch.optim.lr_scheduler.CosineAnnealingLR
 */
export function cosineLearningRate(
  epoch: number,
  { epochs, least = 0 }: { readonly epochs: number; readonly least?: number },
): number {
  if (!(epochs > 0 && least >= 0 && least <= 1))
    throw new OptionError(`cosineLearningRate: expected epochs > 0 and least in [0, 1], got ${epochs} and ${least}`);
  return least + ((1 - least) * (1 + Math.cos(Math.PI * Math.min(1, epoch / epochs)))) / 2;
}
