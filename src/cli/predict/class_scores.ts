import { goodScoresOf, type Calibration, type GoodScores } from "../../detection/calibration.ts";
import { namesShown, nameShown } from "../../io/printable.ts";
import { InputError } from "../../runtime/errors.ts";

/**
 * The scores by which images are judged: those of the class that is named, or of all.
 * @throws InputError for a class that the model does not know
 */
export function namedScores(calibration: Calibration, className: string | undefined): GoodScores {
  if (className === undefined) return calibration;
  const known = Object.keys(calibration.classes);
  if (known.includes(className)) return goodScoresOf(calibration, className);
  throw new InputError(`the model knows no class ${nameShown(className) || "(empty)"}, only ${namesShown(known)}`);
}
