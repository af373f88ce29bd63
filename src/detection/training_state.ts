import { parseJson } from "../io/json.ts";
import { InputError } from "../runtime/errors.ts";
import { isPositive, type HeldOut } from "./calibration.ts";
import type { FitPosition } from "../methods/grad/training.ts";
import type { HingeState } from "../methods/grad/hinges.ts";

/** What a saved training says of itself besides tensors. */
export interface SavedState {
  readonly settings: Readonly<Record<string, unknown>>;
  /** Their classes. */
  readonly images: readonly string[];
  readonly means: readonly number[];
  readonly run: number;
  readonly taken: number;
  readonly position: FitPosition | null;
  readonly heldOut: readonly HeldOut[];
  readonly hinges: HingeState;
  readonly optimizerSteps: readonly number[] | null;
}

type Unchecked<T> = { readonly [Key in keyof T]?: unknown };

/**
 * A saved training's state from the text in its file, checked as far as it can be without the training.
 * @param name the file's name, for errors
 * @throws InputError if it is none
 */
export function savedStateOf(text: string, name: string): SavedState {
  let state: Unchecked<SavedState> | null;
  try {
    state = parseJson(text, { characters: 1 << 25, depth: 4 }) as Unchecked<SavedState> | null;
  } catch (cause) {
    const problem = cause instanceof InputError ? `is refused: ${cause.message}` : "is no JSON";
    throw new InputError(`${name}: what its metadata says of the training ${problem}`, { cause });
  }
  const { settings, images, means, run, taken, position, heldOut, hinges, optimizerSteps } = state ?? {};
  const parts: readonly (readonly [keyof SavedState, boolean])[] = [
    ["settings", isObject(settings)],
    ["images", isListOf(images, isText)],
    ["means", isListOf(means, Number.isFinite)],
    ["run", isWhole(run)],
    ["taken", isWhole(taken)],
    ["position", position === null || (isObject(position) && isText(position["stage"]) && isWhole(position["step"]))],
    ["heldOut", isListOf(heldOut, isHeldOut)],
    ["hinges", isObject(hinges) && Object.values(hinges).every((moments) => isListOf(moments, Number.isFinite) && moments.length === 3)],
    ["optimizerSteps", optimizerSteps === null || isListOf(optimizerSteps, isWhole)],
  ];
  const wrong = parts.find(([, isRight]) => !isRight);
  if (wrong) throw new InputError(`${name}: the state in its metadata is not that of a training: ${wrong[0]} is missing, or of another kind`);
  return state as SavedState;
}

const isText = (value: unknown): value is string => typeof value === "string";
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf = (value: unknown, isMember: (member: unknown) => boolean): value is readonly unknown[] =>
  Array.isArray(value) && value.every((member) => isMember(member));
const isHeldOut = (value: unknown): boolean =>
  isObject(value) && isText(value["className"]) && isPositive(value["score"]) && isPositive(value["peak"]);
