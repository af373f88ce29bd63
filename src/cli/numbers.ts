import { InvalidArgumentError } from "commander";

/** A whole number of at least `least`, from text. */
export const wholeNumber = (least: number) => (text: string): number => {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value >= least && value < 2 ** 32)) throw new InvalidArgumentError(`A whole number of at least ${least} is needed.`);
  return value;
};

/** A number above 0 and at most `most`, from text. */
export const positiveNumber = (most = Number.MAX_VALUE) => (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw new InvalidArgumentError(`A number above 0${most < Number.MAX_VALUE ? ` and at most ${most}` : ""} is needed.`);
  return value;
};
