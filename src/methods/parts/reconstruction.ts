import type { Backbone } from "../../backbones/backbone.ts";
import type { FeatureAssembly, Scoring } from "../method.ts";

// What is said of features and scores by methods that reconstruct features and compare them by GRAD's similarity.

/** Variance of EfficientNet's features, in whose units the similarity's threshold is stated. */
export const REFERENCE_VARIANCE = 24;
const SIMILARITY_THRESHOLD = 10;
// The similarity is a cosine, of vectors from zero. Were zero the mean, it would say how far a cell is from the
// mean, not how well it is reconstructed; so the mean lies apart from zero, in each channel by so many deviations
// (docs/decisions/006-embedded-filters.md).
const MEAN = 0.7;
const [SMOOTHING, WINDOW] = [21, 32]; // pixels at an input of 224

/** The squared error, mean over channels, up to which a position of such features counts as similar. */
export const similarityThreshold = (variance: number): number => SIMILARITY_THRESHOLD * (variance / REFERENCE_VARIANCE);

/** All of a backbone's stages, joined. */
export const reconstructionAssembly = ({
  stages,
  standardise,
}: Pick<Backbone, "stages" | "standardise">): FeatureAssembly => ({
  stages: stages.map(({ name }) => name),
  localMean: 1,
  cells: "finest",
  enlarge: "bilinear",
  alignCorners: true,
  channels: "all",
  standardise: standardise ? { mean: MEAN, variance: REFERENCE_VARIANCE } : null,
});

/** Maps smoothed by a box, and the largest mean over a window as an image's score. */
export const RECONSTRUCTION_SCORING = {
  alignCorners: true,
  smoothing: { kind: "box", side: SMOOTHING },
  image: { kind: "windowMean", side: WINDOW },
} as const satisfies Scoring;
