import type { DatasetClass } from "../data/dataset.ts";
import type { TrainingSettings } from "../detection/training_options.ts";
import { nameShown } from "../io/printable.ts";
import type { Method } from "../methods/method.ts";
import { loadMethods } from "../methods/registry.ts";
import { resolveOptions } from "../runtime/option_table.ts";

const FEW = 16; // good images of a class

/**
 * Says what suits a class of few good images, in one sentence; null where no class has as few, or all is chosen.
 * @param settings of a training, in which it may be; null: none
 */
export async function fewImagesRemark(
  classes: readonly Pick<DatasetClass, "name" | "train">[],
  settings: Pick<TrainingSettings, "learner" | "options" | "augment"> | null = null,
): Promise<string | null> {
  const [fewest] = [...classes].sort((a, b) => a.train.length - b.train.length);
  if (!fewest || fewest.train.length > FEW || fewest.train.length < 2) return null;
  const advice = [
    ...(settings?.learner.suitsFew(settings.options) ? [] : [`--method ${await suitedMethods()} suits them`]),
    ...((settings?.augment ?? "none") === "none"
      ? ["--set augment=both also trains on turned and mirrored copies, if parts lie in any rotation"]
      : []),
  ];
  if (advice.length === 0) return null;
  const whose = classes.length > 1 ? ` of class ${nameShown(fewest.name)}` : "";
  return `${fewest.train.length} good images${whose} are few: ${advice.join("; ")}`;
}

/** The methods that suit few images as they are. */
async function suitedMethods(): Promise<string> {
  const suits = ({ name, options, suitsFew }: Method): boolean => suitsFew(resolveOptions(name, options, {}));
  return (await loadMethods())
    .filter(suits)
    .map(({ name }) => name)
    .join(" or ");
}
