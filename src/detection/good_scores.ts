import type { Model } from "../methods/method.ts";
import { fromArray, release } from "../tensor/tensor.ts";
import { countedInTiles, isTiled } from "./cut.ts";
import type { TrainingSample } from "./folds.ts";
import type { Material } from "./material.ts";
import { scorePhotograph, type ScoresOrProblem } from "./photograph_scores.ts";
import { imageScores, readScores } from "./scoring.ts";
import type { TrainingSettings } from "./training_options.ts";

const TILES = 8; // that are scored at a time

/**
 * Scores a good photograph by a model, from its features.
 * @param samples the photograph's, all of them in their order
 */
export async function scoreGood(
  model: Model,
  material: Material,
  { input, learner, options }: TrainingSettings,
  samples: readonly TrainingSample[],
): Promise<ScoresOrProblem> {
  const { device } = model.weights;
  const { size } = input;
  const scoring = learner.scoring(options);
  const score = async (
    some: readonly TrainingSample[],
    counted: Float32Array | null,
  ): Promise<readonly ScoresOrProblem[]> => {
    const features = await material.features(some);
    const scores = device.tidy(() => {
      const weights = counted && fromArray(device, [some.length, size, size, 1], counted);
      const all = imageScores(model.score(features), scoring, size, weights);
      return isTiled(input) ? all : { ...all, scored: null };
    });
    const reads = readScores(scores);
    for (const used of [features, scores.map, scores.score, scores.peak, scores.scored]) if (used) release(used);
    return reads;
  };
  const { cut } = material.photographs[samples[0]!.photograph]!;
  if (!cut || !isTiled(input)) return (await score(samples, null))[0]!;
  return scorePhotograph(cut, input, scoring, TILES, (tiles, first) =>
    score(samples.slice(first, first + tiles.length), countedInTiles(tiles, cut, size)),
  );
}
