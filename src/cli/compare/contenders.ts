import { InvalidArgumentError } from "commander";
import { seesPixels } from "../../detection/assembly.ts";
import {
  generalOptionsOf,
  resolveTraining,
  TRAINING_OPTIONS,
  type TrainingOptions,
  type TrainingSettings,
} from "../../detection/training_options.ts";
import type { Method } from "../../methods/method.ts";
import { loadMethod, METHOD_NAMES, type MethodName } from "../../methods/registry.ts";
import { OptionError } from "../../runtime/errors.ts";
import { valuesOfFlags, valuesOfSettings } from "../flags/option_flags.ts";
import { openTrainingWeights } from "../flags/options.ts";

const MOST_SEEDS = 100;

const { method: _method, seed: _seed, augment: _augment, ...general } = TRAINING_OPTIONS;
/** The options of a training that all compared methods share; `seed` is a list there, and features have no copies. */
const SHARED_OPTIONS = general;
const { backbone, stages, inputSize } = general;
/** Those of them that have a flag of their own. */
export const SHARED_FLAGS = { backbone, stages, inputSize };

/** Options of a backbone for a method that sees pixels, in place of those that the others share. */
const NO_BACKBONE = { backbone: null, stages: null, padding: null, weights: null };

/** A method that is compared, with its options. */
export interface Contender {
  readonly method: Method;
  /** As `Training.begin` takes them, but for the seed. */
  readonly options: TrainingOptions;
  readonly settings: TrainingSettings;
}

/** Distinct names of methods, from text such as "padim,patchcore"; "all" for all of them. */
export function methodNames(text: string): readonly MethodName[] {
  if (text === "all") return METHOD_NAMES;
  const names = text.split(",").map((word) => word.trim());
  const unknown = names.find((name) => !METHOD_NAMES.some((known) => known === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`Names with commas of ${METHOD_NAMES.join(", ")} are needed, or all.`);
  return [...new Set(names)] as MethodName[];
}

/** Distinct whole numbers, from text such as "0,1,2". */
export function seedList(text: string): readonly number[] {
  const seeds = text.split(",").map((word) => (/^\s*\d{1,10}\s*$/.test(word) ? Number(word) : NaN));
  const distinct = [...new Set(seeds)];
  if (!distinct.every((seed) => seed < 2 ** 32) || distinct.length > MOST_SEEDS)
    throw new InvalidArgumentError(`At most ${MOST_SEEDS} whole numbers below 2^32 with commas are needed.`);
  return distinct;
}

/** Flags that decide on the compared methods. */
export interface ContenderFlags {
  readonly methods: readonly MethodName[];
  /** Texts of "name=value" for all methods, and "method.name=value" for one. */
  readonly set?: readonly string[];
  readonly weights?: string;
}

/**
 * Reads the compared methods with their options. Flags override `--set`.
 * @throws OptionError for options that are unknown, out of range or do not go together; InputError for weights that are
 * missing
 */
export async function readContenders({
  methods,
  set = [],
  weights,
  ...flags
}: ContenderFlags & Readonly<Record<string, unknown>>): Promise<Contender[]> {
  const owned = (owner: MethodName | null) => set.filter((text) => ownerOf(text, methods) === owner);
  const shared = {
    ...valuesOfSettings(owned(null), [["training", SHARED_OPTIONS]]),
    ...valuesOfFlags(SHARED_FLAGS, flags),
  } as TrainingOptions;
  const opened = await openTrainingWeights(shared, weights);
  return Promise.all(
    methods.map(async (name) => {
      const method = await loadMethod(name);
      const own = owned(name).map((text) => text.slice(name.length + 1));
      const options = {
        ...shared,
        ...valuesOfSettings(own, [[`method ${name}`, method.options]]),
        method: name,
        ...(seesPixels(method) ? NO_BACKBONE : { weights: opened }),
      } as TrainingOptions;
      return { method, options, settings: await resolveTraining(options) };
    }),
  );
}

/** The method that a setting is for; null for one of all methods. */
function ownerOf(text: string, methods: readonly MethodName[]): MethodName | null {
  const dot = text.slice(0, Math.max(text.indexOf("="), 0)).indexOf(".");
  if (dot < 0) return null;
  const owner = methods.find((name) => name === text.slice(0, dot));
  if (owner !== undefined) return owner;
  throw new OptionError(
    `--set ${text.slice(0, 80)}: expected name=value, or METHOD.name=value of a compared method (${methods.join(", ")})`,
  );
}

/** All options of a contender as data, the seed apart; the weights by their SHA-256. */
export function optionsOf({ settings }: Contender): Readonly<Record<string, unknown>> {
  const { seed: _seed, augment: _augment, featureBudget: _budget, ...general } = generalOptionsOf(settings);
  return { ...general, weights: settings.weights?.sha256 ?? null, ...settings.options };
}
