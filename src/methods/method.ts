import type { Backbone } from "../backbones/backbone.ts";
import type { Weights } from "../nn/weights.ts";
import type { OptionTable } from "../runtime/option_table.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Anything that JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A JSON object. */
export type JsonObject = { readonly [name: string]: Json };

/**
 * The way from a photograph to the features that a method sees, executed by `detection/features.ts`: the photograph's
 * own pixels, from -1 to 1, or a backbone's maps. Whatever its options are, a method sees either.
 */
export type Assembly = { readonly pixels: true } | FeatureAssembly;

/** The way from a backbone's maps to features. What follows one another here is done in that order. */
export interface FeatureAssembly {
  /** Names of some or all of the backbone's stages, finest first. */
  readonly stages: readonly string[];
  /** Side of the window, cells, whose mean takes each cell's place in each map; 1 for none. Zeros outside count. */
  readonly localMean: 1 | 3;
  /** Cells to a side that all maps are brought to, before they are joined along channels: the finest map's, or so many. */
  readonly cells: "finest" | number;
  /** The way in which maps are brought to them. */
  readonly enlarge: "bilinear" | "nearest";
  /** PyTorch's align_corners for that. */
  readonly alignCorners: boolean;
  /** The channels that are left. */
  readonly channels: "all" | ChannelChoice;
  /**
   * Brings each channel to this mean, in units of the standard deviation, and this variance over the training set.
   * "unit": divides each cell's features by their length. Null: features stay as they are.
   */
  readonly standardise: { readonly mean: number; readonly variance: number } | "unit" | null;
}

/** Fewer channels than there are, drawn from a seed that belongs to the model. */
export interface ChannelChoice {
  /** Some of them as they are, or their products with orthonormal random columns (semi-orthogonal). */
  readonly kind: "subset" | "projection";
  readonly count: number;
  readonly seed: number;
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
   * The image's score. Of the smoothed map: the largest mean over a window of that side, for 224 pixels; the largest
   * value; the mean of the largest values, a share of all. "cells": the largest of the model's own cells, neither
   * enlarged nor smoothed, or the one that the model gives an image (`CellScores.image` of one cell).
   */
  readonly image:
    | { readonly kind: "windowMean"; readonly side: number }
    | { readonly kind: "max" }
    | { readonly kind: "topShare"; readonly share: number }
    | { readonly kind: "cells" };
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
  /** The number of those that a fit which goes on from a model is to add: the last ones. Default 0. */
  readonly added?: number;
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
  /** Title of the stage, for people: "Stage 1". */
  readonly title: string;
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
  /** Configuration of the model whose weights `weights` begin with, in a fit that adds to it. Default: a new model. */
  readonly before?: Json;
}

/**
 * The way in which a fit goes on from a model when there are further images. "steps": it takes steps from the model's
 * weights on, on all images. "addition": it adds the further images, which are all that it sees, to the model. "refit":
 * it is in closed form, and fits a new model to all images.
 */
export type ContinuationKind = "steps" | "addition" | "refit";

/** A fit that goes on from a model. */
export interface Continuation {
  readonly kind: ContinuationKind;
  /** Configuration of the model that the fit makes. */
  readonly config: Json;
  /** Options of the fit: those of the training, but for its length. */
  readonly options: MethodOptions;
}

/** A training that can stop between two steps, and go on to the same bits. */
export interface Fit {
  /**
   * The model as trained so far: usable at any time, with finite scores of at least 0. Each method defines what it is
   * before the last step.
   */
  readonly model: Model;
  /** Steps still to be taken, by stage. */
  readonly remaining: readonly StagePlan[];
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
  /**
   * `[N, h, w]`: the anomaly of each cell, finite and at least 0. Ratios count: calibration takes logarithms. 0 is for
   * cells that the model knows by heart; where all images of a class that set its threshold score 0, there is none.
   */
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
   * Adjusts the score on good images that the model was not fitted to; called before scores are calibrated, also when
   * training ends early. Scores are finite and at least 0 before and after; a method whose scores may be negative learns
   * here by how much to shift them.
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
export interface Method<Table extends OptionTable = OptionTable> {
  readonly name: string;
  readonly title: string;
  /** The publication that defines it. */
  readonly source: string;
  /** The cases to choose it for, as the end of a sentence that begins with "It suits". */
  readonly suits: string;
  readonly options: Table;
  /** True if it learns from real anomalies with masks under these options. */
  readonly learnsAnomalies: (options: MethodOptions) => boolean;
  /** True if it does well with a handful of good images under these options. */
  readonly suitsFew: (options: MethodOptions) => boolean;
  /** Assembles features from the stages of a backbone, or from some of them. */
  readonly assembly: (options: MethodOptions, backbone: Pick<Backbone, "stages" | "standardise">) => Assembly;
  /** The way from its cells to maps and image scores, under these options. */
  readonly scoring: (options: MethodOptions) => Scoring;
  /**
   * The configuration of a model for such features: one for each fit, as folds have fewer images.
   * @throws OptionError for options that do not go together
   */
  readonly configure: (spec: FeatureSpec, options: MethodOptions) => Json;
  /**
   * The stages of a fit.
   * @param images that the fit sees
   * @param before configuration of the model that it adds to; null or absent for a new one
   */
  readonly plan: (config: Json, options: MethodOptions, images: number, before?: Json) => readonly StagePlan[];
  /**
   * Plans a fit that goes on from a model when there are further images.
   * @param before configuration of the model
   * @param spec as in `configure`, `images` being all that the new model has seen
   * @param share of a new training's steps
   * @throws OptionError for options that contradict the model
   */
  readonly continued: (before: Json, spec: FeatureSpec, options: MethodOptions, share: number) => Continuation;
  /** Sentences for people, before a training, about a configuration that is known to do badly; mostly none. */
  readonly remarks: (config: Json) => readonly string[];
  /** Begins a fit, or goes on with one that `input` has the state of. */
  readonly begin: (config: Json, options: MethodOptions, input: FitInput) => Fit;
  /** @throws InputError where `weights` lacks a tensor */
  readonly restore: (config: Json, weights: Weights) => Model;
  /**
   * Checks a configuration from a file, which may hold anything.
   * @throws OptionError if it is not one of this method
   */
  readonly validate: (config: Json) => FeatureExtents;
  /**
   * The configuration of a detector's file of version 3, which knew one method alone, as a file of today has it; it is
   * checked after that. Absent for every other method.
   */
  readonly upgraded?: (config: JsonObject) => Promise<Json>;
}

/** The features that a configuration is for. */
export type FeatureExtents = Pick<FeatureSpec, "height" | "width" | "channels">;

/** Options of a method, each with a value. */
export type MethodOptions = Readonly<Record<string, unknown>>;
