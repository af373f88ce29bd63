import { isObject, isWhole, requireJson } from "../io/json.ts";
import { decodeSafetensors, encodeSafetensors, float32Tensors, type StoredTensor } from "../io/safetensors.ts";
import type { FitState, Json } from "../methods/method.ts";
import type { StoredTensors } from "../nn/weights.ts";
import { InputError } from "../runtime/errors.ts";
import { isScore, type HeldOut } from "./calibration.ts";
import type { Material } from "./material.ts";
import { generalOptionsOf, type TrainingSettings } from "./training_options.ts";

/** Identity of a training: one that continues from a saved state must have the same. */
export interface TrainingIdentity {
  readonly settings: Readonly<Record<string, unknown>>;
  /** The classes of the images, in order, or of their tiles. */
  readonly images: readonly string[];
  /** Mean of each channel of the features. */
  readonly means: readonly number[];
}

/** Everything in a saved training besides tensors. */
export interface SavedState extends TrainingIdentity {
  /** Index of the model that is trained. */
  readonly run: number;
  readonly taken: number;
  /** The fit's. */
  readonly fit: Json;
  readonly heldOut: readonly HeldOut[];
  /** Measurements by models of earlier folds (`Model.adjust`). */
  readonly carried: Json;
}

/**
 * Makes the identity of a training from its options, its images and the configuration of its model.
 * @param from identity of what it goes on from
 */
export function identityOf(
  settings: TrainingSettings,
  { extractor, anomalies, samples, set }: Material,
  config: Json,
  from?: string,
): TrainingIdentity {
  const { learner, options } = settings;
  const { featureBudget: _budget, ...general } = generalOptionsOf(settings);
  const lasting = Object.fromEntries(Object.entries(options).filter(([name]) => !learner.options[name]?.tuning));
  const marked = anomalies.map(({ mask }) => mask.filter((cell) => cell === 1).length);
  return {
    settings: flat({
      ...general,
      backbone: extractor.maker.backbone.identity,
      options: lasting,
      config: config as object,
      anomalies: marked,
      ...(from !== undefined && { from }),
    }),
    images: samples.flatMap(({ className, views }) => views.map(() => className)),
    means: [...set.statistics.means],
  };
}

/** Settings within settings under one name, such as options.levels.first. */
const flat = (settings: object, within = ""): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]: [string, unknown]) =>
      isObject(value) ? Object.entries(flat(value, `${within}${name}.`)) : [[`${within}${name}`, value]],
    ),
  );

const FORMAT = "bigrid-training";
const FIT = "fit."; // before the names of the fit's tensors, apart from the model's

/** A saved training as a safetensors file. */
export function encodeTrainingState(
  state: SavedState,
  fit: ReadonlyMap<string, StoredTensor>,
  weights: ReadonlyMap<string, StoredTensor>,
): Uint8Array {
  const tensors = new Map([...weights, ...[...fit].map(([name, tensor]) => [`${FIT}${name}`, tensor] as const)]);
  return encodeSafetensors({ tensors, metadata: { format: FORMAT, state: JSON.stringify(state) } });
}

/**
 * Decodes a saved training and checks what can be checked without the training itself.
 * @param name the file's name, for errors
 * @throws InputError if it is none
 */
export function decodeTrainingState(
  saved: Uint8Array,
  name: string,
): { readonly state: SavedState; readonly fit: FitState; readonly weights: StoredTensors } {
  const { tensors, metadata } = decodeSafetensors(saved, name);
  if (metadata["format"] !== FORMAT)
    throw new InputError(`${name} is no saved training: its metadata has no format ${FORMAT}`);
  const state = parseSavedState(metadata["state"] ?? "", name);
  const stored = float32Tensors(tensors, name);
  const fitTensors = new Map(
    [...stored].filter(([key]) => key.startsWith(FIT)).map(([key, { data }]) => [key.slice(FIT.length), data]),
  );
  return { state, fit: { json: state.fit, tensors: fitTensors }, weights: stored };
}

/**
 * Refuses a saved training of other options or images.
 * @throws InputError naming the first difference
 */
export function requireSame(own: TrainingIdentity, saved: TrainingIdentity, name: string): void {
  const shown = (value: unknown): string => JSON.stringify(value) ?? "nothing";
  for (const key of new Set([...Object.keys(own.settings), ...Object.keys(saved.settings)])) {
    const [now, before] = [shown(own.settings[key]), shown(saved.settings[key])];
    if (now !== before)
      throw new InputError(
        `${name} was trained with ${key} ${before}, not ${now}: resume with the same options, or start again`,
      );
  }
  if (shown(own.images) !== shown(saved.images) || shown(own.means) !== shown(saved.means)) {
    throw new InputError(
      `${name} was trained on other images (${saved.images.length} then, ${own.images.length} now, or changed ones): start again`,
    );
  }
}

type Unchecked<T> = { readonly [Key in keyof T]?: unknown };

/**
 * Reads a saved training's state from the text in its file.
 * @throws InputError if it is none
 */
export function parseSavedState(text: string, name: string): SavedState {
  const what = `${name}: what its metadata says of the training`;
  const state = requireJson(text, { characters: 1 << 25, depth: 8 }, what) as Unchecked<SavedState> | null;
  const { settings, images, means, run, taken, fit, heldOut, carried } = state ?? {};
  const parts: readonly (readonly [keyof SavedState, boolean])[] = [
    ["settings", isObject(settings)],
    ["images", isListOf(images, isText)],
    ["means", isListOf(means, Number.isFinite)],
    ["run", isWhole(run)],
    ["taken", isWhole(taken)],
    ["fit", fit !== undefined],
    ["heldOut", isListOf(heldOut, isHeldOut)],
    ["carried", carried !== undefined],
  ];
  const wrong = parts.find(([, isRight]) => !isRight);
  if (wrong)
    throw new InputError(
      `${name}: the state in its metadata is not that of a training: ${wrong[0]} is missing, or of another kind`,
    );
  return state as SavedState;
}

const isText = (value: unknown): value is string => typeof value === "string";
const isListOf = (value: unknown, isMember: (member: unknown) => boolean): value is readonly unknown[] =>
  Array.isArray(value) && value.every((member) => isMember(member));
const isHeldOut = (value: unknown): boolean =>
  isObject(value) && isText(value["className"]) && isScore(value["score"]) && isScore(value["peak"]);
