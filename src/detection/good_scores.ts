import type { Model } from "../methods/method.ts";
import { fromArray, release } from "../tensor/tensor.ts";
import { countedInTiles, isTiled } from "./cut.ts";
import type { TrainingSample } from "./folds.ts";
import type { Material } from "./material.ts";
import { scorePhotograph, type ScoresOrProblem } from "./photograph_scores.ts";
import { imageScores, readScores } from "./scoring.ts";
import type { TrainingSettings } from "./training_options.ts";

const TILES = 8; // that are scored at a time

/** Scores a good photograph by a model, from its features. */
export async function scoreGood(
  model: Model,
  material: Material,
  { input, learner, options }: TrainingSettings,
  { cut, views }: TrainingSample,
): Promise<ScoresOrProblem> {
  const { device } = model.weights;
  const { size } = input;
  const scoring = learner.scoring(options);
  const score = async (some: TrainingSample["views"], counted: Float32Array | null) => {
    const features = await material.features(some.map(({ index }) => index));
    const scores = device.tidy(() => {
      const weights = counted && fromArray(device, [some.length, size, size, 1], counted);
      const all = imageScores(model.score(features), scoring, size, weights);
      return isTiled(input) ? all : { ...all, scored: null };
    });
    const reads = readScores(scores);
    for (const used of [features, scores.map, scores.score, scores.peak, scores.scored]) if (used) release(used);
    return reads;
  };
  if (!cut || !isTiled(input)) return (await score(views, null))[0]!;
  return scorePhotograph(cut, input, scoring, TILES, (tiles, first) =>
    score(views.slice(first, first + tiles.length), countedInTiles(tiles, cut, size)),
  );
}
