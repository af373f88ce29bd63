import type { Json } from "../methods/method.ts";
import type { Material } from "./material.ts";
import { generalOptionsOf, type TrainingSettings } from "./training_options.ts";
import type { TrainingIdentity } from "./training_state.ts";

/** Makes the identity of a training from its options, its images and the configuration of its model. */
export function identityOf(
  settings: TrainingSettings,
  { maker, anomalies, samples, set }: Material,
  config: Json,
): TrainingIdentity {
  const { learner, options } = settings;
  const { featureBudget: _budget, ...general } = generalOptionsOf(settings);
  const lasting = Object.fromEntries(Object.entries(options).filter(([name]) => !learner.options[name]?.tuning));
  const marked = anomalies.map(({ mask }) => mask.filter((cell) => cell === 1).length);
  return {
    settings: flat({
      ...general,
      backbone: maker.backbone.identity,
      options: lasting,
      config: config as object,
      anomalies: marked,
    }),
    images: samples.map(({ className }) => className),
    means: [...set.statistics.means],
  };
}

/** Settings within settings under one name, such as options.levels.first. */
export function flat(settings: object, within = ""): Record<string, unknown> {
  const isGroup = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]: [string, unknown]) =>
      isGroup(value) ? Object.entries(flat(value, `${within}${name}.`)) : [[`${within}${name}`, value]],
    ),
  );
}
