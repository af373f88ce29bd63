import type { Backbone } from "../backbones/backbone.ts";
import type { Weights } from "../nn/weights.ts";
import type { OptionTable } from "../runtime/option_table.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Anything that JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The way from a backbone's maps to the features that a method sees, executed by `detection/features.ts`. */
export interface Assembly {
  /**
   * Names of the backbone's stages, finest first. All are brought to the finest stage's cells and joined along
   * channels.
   */
  readonly stages: readonly string[];
  /** PyTorch's align_corners for enlarging coarser maps bilinearly. */
  readonly alignCorners: boolean;
  /** Side of the window, cells, whose mean takes each cell's place in each map; 1 for none. Zeros outside count. */
  readonly localMean: 1 | 3;
  /**
   * Brings each channel to this mean, in units of the standard deviation, and this variance over the training set.
   * Null: features stay as they are.
   */
  readonly standardise: { readonly mean: number; readonly variance: number } | null;
}

/** The way from a model's cells to an anomaly map and an image's score, executed by `detection/scoring.ts`. */
export interface Scoring {
  /** PyTorch's align_corners for enlarging cells bilinearly to the input's size. */
  readonly alignCorners: boolean;
  /**
   * A mean over a box, or a Gaussian, on the map at input size; extents are for 224 pixels, and scale with the input.
   * Null: none.
   */
  readonly smoothing:
    { readonly kind: "box"; readonly side: number } | { readonly kind: "gaussian"; readonly sigma: number } | null;
  /**
   * The image's score: the largest mean over a window of that side, for 224 pixels, of the smoothed map; or the largest
   * of the model's own cells, neither enlarged nor smoothed.
   */
  readonly image: { readonly kind: "windowMean"; readonly side: number } | { readonly kind: "cells" };
}

/** The features that a method sees, and how many images it learns from. */
export interface FeatureSpec {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Mean over the channels of their variance over the training set. */
  readonly variance: number;
  /** Images that the model is fitted to: the size of a model may depend on their number. */
  readonly images: number;
}

/** Features of good images, in batches. */
export interface FeatureSource {
  readonly count: number;
  /** Returns `[B, H, W, C]`, f32, of the images with these indices; the caller releases it. */
  readonly batch: (indices: readonly number[]) => Promise<Tensor>;
}

/** Features with their anomalies marked. */
export interface MarkedFeatures {
  /** `[N, H, W, C]`, f32 */
  readonly features: Tensor;
  /** `[N, H, W]`: 1 where anomalous, 0 elsewhere. */
  readonly mask: Tensor;
}

/** Features of real anomalies with masks, in batches. */
export interface AnomalySource {
  readonly count: number;
  /** Returns the anomalies with these indices; the caller releases both tensors. */
  readonly batch: (indices: readonly number[]) => Promise<MarkedFeatures>;
}

/** A step of a fit. */
export interface FitStep {
  /** Name of the stage. */
  readonly stage: string;
  /** Steps of the stage done, from 1, and all of them at most. */
  readonly step: number;
  readonly steps: number;
  /** From 0; 0 for methods that see each image once. */
  readonly epoch: number;
  /** Read back now and then; null in between, and for methods without a loss. */
  readonly loss: number | null;
}

/** A stage of a fit and how many steps it has at most. */
export interface StagePlan {
  readonly stage: string;
  /** For people: "Stage 1". */
  readonly title: string;
  readonly steps: number;
}

/** The state of a fit between two steps, besides the model's weights. */
export interface FitState {
  readonly json: Json;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/** The material of a fit. */
export interface FitInput {
  readonly weights: Weights;
  readonly features: FeatureSource;
  /** Null: there are none. */
  readonly anomalies: AnomalySource | null;
  /** `[C]`: standard deviation of each channel of the features over all cells of the training set. */
  readonly std: Tensor;
  readonly seed: number;
}

/** A training that can stop between two steps, and go on to the same bits. */
export interface Fit {
  /**
   * The model as trained so far: usable at any time, with finite scores of at least 0. Each method defines what it is
   * before the last step.
   */
  readonly model: Model;
  /** Steps still to be taken, by stage. */
  readonly remaining: readonly Pick<StagePlan, "stage" | "steps">[];
  /**
   * Takes steps until the end. Leaving the loop pauses the fit; a new call continues it.
   * @throws DivergedError where a loss that was read is NaN or infinite
   */
  readonly steps: () => AsyncGenerator<FitStep, void>;
  /** The state that resuming needs besides the weights. */
  readonly state: () => Promise<FitState>;
  /**
   * Resumes at another fit's state, once the model has that fit's weights.
   * @throws ShapeError for a state that no such fit can have
   */
  readonly restore: (state: FitState) => void;
  /** Gives the storage of everything but the model back. */
  readonly release: () => void;
}

/** A model's scores of features: on the device, so that they can be captured and listed. */
export interface CellScores {
  /** `[N, h, w]`: the anomaly of each cell, at least 0. */
  readonly map: Tensor;
  /** `[N, h, w]`: the cells of which the image's score is made, where they are not the map. */
  readonly image?: Tensor;
}

/** A trained model. */
export interface Model {
  readonly weights: Weights;
  /** Configuration that restores the model together with its weights: kept in the model file. */
  readonly config: Json;
  /**
   * Scores features: a map of each image and, where it differs, the map of which its score is made.
   * @param features `[N, H, W, C]`, f32, as the method's assembly makes them
   */
  readonly score: (features: Tensor) => CellScores;
  /**
   * Adjusts the score on good images that the model was not fitted to; called before scores are calibrated.
   * @param heldOut features of one image each, which `adjust` releases; empty if there are no such images
   * @param carried the result for the previous fold's model; null for the first
   * @returns what is passed on to the next fold's model and kept in the training's state
   */
  readonly adjust?: (heldOut: AsyncIterable<Tensor>, carried: Json) => Promise<Json>;
  /**
   * Checks the `carried` of a saved training.
   * @throws ShapeError if `adjust` cannot have returned it
   */
  readonly requireCarried?: (carried: Json) => void;
  /** Rows about the model, for the report and the end of `bigrid train`. */
  readonly summary: readonly (readonly [label: string, value: string])[];
}

/**
 * An anomaly detection method: how it learns from features, and how it scores them. It owns no image, no file and no
 * threshold.
 */
export interface Method {
  readonly name: string;
  readonly title: string;
  /** The publication that defines it. */
  readonly source: string;
  readonly options: OptionTable;
  /** True if it learns from real anomalies with masks under these options. */
  readonly learnsAnomalies: (options: MethodOptions) => boolean;
  /** Names of options that count only where there are real anomalies. */
  readonly anomalyOptions: readonly string[];
  /** Options of a fit of few steps that takes as much memory as a long one. */
  readonly brief: Readonly<Record<string, unknown>>;
  /** Assembles features from the stages of a backbone. */
  readonly assembly: (options: MethodOptions, backbone: Pick<Backbone, "stages" | "standardise">) => Assembly;
  readonly scoring: Scoring;
  /**
   * The configuration of a model for such features: one for each fit, as folds have fewer images.
   * @throws OptionError for options that do not go together
   */
  readonly configure: (spec: FeatureSpec, options: MethodOptions) => Json;
  /** A configuration with what training adds to it, for estimates of memory. Default: the configuration itself. */
  readonly fitted?: (config: Json) => Json;
  /** The stages of a fit, given the number of images. */
  readonly plan: (config: Json, options: MethodOptions, images: number) => readonly StagePlan[];
  /** Begins a fit, or goes on with one that `input` has the state of. */
  readonly begin: (config: Json, options: MethodOptions, input: FitInput) => Fit;
  /** @throws InputError where `weights` lacks a tensor */
  readonly restore: (config: Json, weights: Weights) => Model;
  /**
   * Names the first option of a configuration that is far outside the useful range, with its value, for error messages;
   * null if there is none.
   */
  readonly extreme?: (config: Json) => string | null;
  /**
   * Checks a configuration from a file, which may hold anything (`requireExtents` in extents.ts checks the extents).
   * @throws OptionError if it is not one of this method
   */
  readonly validate: (config: Json) => FeatureExtents;
}

/** The features that a configuration is for. */
export type FeatureExtents = Pick<FeatureSpec, "height" | "width" | "channels">;

/** Options of a method, each with a value. */
export type MethodOptions = Readonly<Record<string, unknown>>;
