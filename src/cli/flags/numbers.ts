import { InvalidArgumentError } from "commander";

/** A whole number of at least `least`, from text. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value < 2 ** 32))
      throw new InvalidArgumentError(`A whole number from ${least} to ${2 ** 32 - 1} is needed.`);
    return value;
  };

/** A number above 0 and at most `most`, from text. */
export const positiveNumber =
  (most = Number.MAX_VALUE) =>
  (text: string): number => {
    const value = Number(text);
    if (!(value > 0 && value <= most))
      throw new InvalidArgumentError(
        `A number above 0${most < Number.MAX_VALUE ? ` and at most ${most}` : ""} is needed.`,
      );
    return value;
  };

/** A number above 0 and below 1, from text. */
export const fractionOf = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError("A number above 0 and below 1 is needed.");
  return value;
};
