import { parseJson } from "../io/json.ts";
import { decodeSafetensors, encodeSafetensors, float32Tensors, type StoredTensor } from "../io/safetensors.ts";
import type { FitState, Json } from "../methods/method.ts";
import type { StoredTensors } from "../nn/weights.ts";
import { InputError } from "../runtime/errors.ts";
import { isScore, type HeldOut } from "./calibration.ts";

/** Identity of a training: one that continues from a saved state must have the same. */
export interface TrainingIdentity {
  readonly settings: Readonly<Record<string, unknown>>;
  /** The classes of the images, in order. */
  readonly images: readonly string[];
  /** Mean of each channel of the features. */
  readonly means: readonly number[];
}

/** Everything in a saved training besides tensors. */
export interface SavedState extends TrainingIdentity {
  readonly run: number;
  readonly taken: number;
  /** The fit's. */
  readonly fit: Json;
  readonly heldOut: readonly HeldOut[];
  /** Measurements by models of earlier folds (`Model.adjust`). */
  readonly carried: Json;
}

const FORMAT = "bigrid-training";
const FIT = "fit."; // before the names of the fit's tensors, apart from the model's

/** A saved training as a safetensors file. */
export function encodeTrainingState(
  state: Omit<SavedState, "fit">,
  fit: FitState,
  weights: ReadonlyMap<string, StoredTensor>,
): Uint8Array {
  const tensors = new Map(weights);
  for (const [name, values] of fit.tensors) {
    tensors.set(`${FIT}${name}`, {
      dtype: "F32",
      shape: [values.length],
      bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
  }
  return encodeSafetensors({
    tensors,
    metadata: { format: FORMAT, state: JSON.stringify({ ...state, fit: fit.json }) },
  });
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
  let state: Unchecked<SavedState> | null;
  try {
    state = parseJson(text, { characters: 1 << 25, depth: 8 }) as Unchecked<SavedState> | null;
  } catch (cause) {
    const problem = cause instanceof InputError ? `is refused: ${cause.message}` : "is no JSON";
    throw new InputError(`${name}: what its metadata says of the training ${problem}`, { cause });
  }
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
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf = (value: unknown, isMember: (member: unknown) => boolean): value is readonly unknown[] =>
  Array.isArray(value) && value.every((member) => isMember(member));
const isHeldOut = (value: unknown): boolean =>
  isObject(value) && isText(value["className"]) && isScore(value["score"]) && isScore(value["peak"]);
