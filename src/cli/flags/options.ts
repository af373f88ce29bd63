import { Option, type Command } from "commander";
import { isPretrained } from "../../backbones/registry.ts";
import {
  generalOptionsOf,
  TRAINING_OPTIONS,
  type TrainingOptions,
  type TrainingSettings,
} from "../../detection/training_options.ts";
import type { Method } from "../../methods/method.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES, type MethodName } from "../../methods/registry.ts";
import { openWeights } from "../../node/weights.ts";
import { cachedWeights } from "../../node/hub.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { defaultInWords, resolveOptions, type OptionTable } from "../../runtime/option_table.ts";
import { RUN_OPTIONS, type RunOptions } from "../train/run_options.ts";
import {
  addOptionFlags,
  collectSettings,
  flagName,
  readConfiguration,
  valuesOfFlags,
  valuesOfSettings,
} from "./option_flags.ts";

export const WEIGHTS_HELP =
  "safetensors file of the backbone's weights, under timm's, torchvision's or efficientnet_pytorch's names";

export const HALF_HELP =
  "score in half precision (f16 storage, f32 sums): half the memory traffic; scores differ by less than a hundredth";

/** The parts of a training command that are not options of the training. */
export interface TrainFlags {
  readonly weights?: string;
  readonly set?: readonly string[];
  readonly config?: string;
}

const MODEL = "Model:";
const TRAINING = "Training:";
const OF_MODEL = ["method", "backbone", "stages", "inputSize", "resize", "tile", "overlap"];

const SETS_METHOD = "method=";

/** The method's name by a flag, by `--set` or by a configuration, in this order; undefined where none has it. */
const methodNamed = (flag: unknown, set: readonly string[], configured: Readonly<Record<string, unknown>>): unknown =>
  flag ?? set.findLast((text) => text.startsWith(SETS_METHOD))?.slice(SETS_METHOD.length) ?? configured["method"];

/**
 * The method that a command line names, by `--method`, `--set` or `--config`; null where it names none, or an unknown
 * one, which is refused when all options are read.
 */
async function methodIn(words: readonly string[]): Promise<MethodName | null> {
  const valuesOf = (flag: string): string[] =>
    words.flatMap((word, i) => {
      if (word.startsWith(`${flag}=`)) return [word.slice(flag.length + 1)];
      const value = words[i + 1];
      return word === flag && value !== undefined ? [value] : [];
    });
  const [file] = valuesOf("--config").slice(-1);
  const configured = file === undefined ? {} : await readConfiguration(file).catch(() => ({}));
  const named = methodNamed(valuesOf("--method").at(-1), valuesOf("--set"), configured);
  return METHOD_NAMES.find((known) => known === named) ?? null;
}

/**
 * Adds the flags of a training: those of every training, and the method's frequent ones, which help shows where the
 * method is named.
 * @param words of the command line
 */
export async function addTrainFlags(command: Command, words: readonly string[]): Promise<Command> {
  const named = await methodIn(words);
  const name = named ?? DEFAULT_METHOD;
  const method = await loadMethod(name);
  addOptionFlags(command, "training", TRAINING_OPTIONS, (option) => (OF_MODEL.includes(option) ? MODEL : TRAINING));
  addOptionFlags(command, `method ${name}`, method.options, () => (named ? `Method ${method.title}:` : null));
  command
    .addOption(new Option("--weights <file>", WEIGHTS_HELP).helpGroup(MODEL))
    .addOption(
      new Option("--set <name=value>", "any option by its name; may be repeated")
        .argParser(collectSettings)
        .helpGroup(TRAINING),
    )
    .addOption(
      new Option(
        "--config <file>",
        "JSON file of options by name, such as a run's config.json; flags and --set override it",
      ).helpGroup(TRAINING),
    );
  return command.addHelpText(
    "after",
    named ? otherOptions(method) : `\n"bigrid train --method ${name} --help" has the method's own options.`,
  );
}

/** The options that have no flag, for help. */
function otherOptions({ title, options }: Method): string {
  const all: OptionTable = { ...TRAINING_OPTIONS, ...options, ...RUN_OPTIONS };
  const rare = Object.entries(all).filter(([, { frequent }]) => !frequent);
  const width = Math.max(...rare.map(([name]) => name.length));
  const lines = rare.map(
    ([name, spec]) =>
      `  ${name.padEnd(width)}  ${spec.help}${defaultInWords(spec) && ` (default: ${defaultInWords(spec)})`}`,
  );
  return `\nFurther options of training and ${title}, by --set name=value or --config:\n${lines.join("\n")}`;
}

/**
 * Reads a command line's options of the training and of its run: flags override `--set`, which overrides `--config`.
 * @throws OptionError for options that are unknown, out of range or do not go together; InputError for files that
 * cannot be read
 */
export async function readTrainingOptions(
  flags: TrainFlags & Readonly<Record<string, unknown>>,
): Promise<{ readonly training: TrainingOptions; readonly run: RunOptions }> {
  const configured = flags.config === undefined ? {} : await readConfiguration(flags.config);
  const name = methodNamed(flags["method"], flags.set ?? [], configured) ?? DEFAULT_METHOD;
  const method = await loadMethod(typeof name === "string" ? name : JSON.stringify(name));
  const tables = [
    ["training", TRAINING_OPTIONS],
    [`method ${method.name}`, method.options],
    ["train", RUN_OPTIONS],
  ] as const;
  const { weights: configuredWeights, ...told } = { ...configured, ...valuesOfSettings(flags.set ?? [], tables) };
  const isOfRun = ([name]: readonly [string, unknown]): boolean => Object.hasOwn(RUN_OPTIONS, name);
  const named = Object.entries(told);
  const training = {
    ...Object.fromEntries(named.filter((one) => !isOfRun(one))),
    ...valuesOfFlags(TRAINING_OPTIONS, flags),
    ...valuesOfFlags(method.options, flags),
    method: method.name,
  } as TrainingOptions;
  const weights = flags.weights ?? (typeof configuredWeights === "string" ? configuredWeights : undefined);
  return {
    training: { ...training, weights: await openTrainingWeights(training, weights) },
    run: resolveOptions("train", RUN_OPTIONS, Object.fromEntries(named.filter(isOfRun))),
  };
}

/**
 * Opens the weights of a training's backbone: a file's, or those in the hub's cache.
 * @returns null for the embedded backbone, which has none
 * @throws InputError if there are none, or they cannot be read; OptionError if the backbone takes none
 */
export async function openTrainingWeights(
  { backbone = "embedded", padding }: TrainingOptions,
  weights: string | undefined,
): Promise<TrainingOptions["weights"]> {
  const name = backbone ?? "embedded";
  if (!isPretrained(name)) {
    if (weights === undefined && (padding ?? null) === null) return null;
    throw new OptionError(
      `the ${name} backbone has no weights and no padding to choose; name another one with --backbone, or leave out --weights and padding`,
    );
  }
  const opened = weights === undefined ? await cachedWeights(name) : await openWeights(weights);
  if (opened === null)
    throw new InputError(
      `${name} needs its weights: "bigrid weights ${name}" downloads them, --weights FILE names others`,
    );
  return opened;
}

/** The effective configuration of a training, for its run: a valid `--config`. */
export function configurationOf(settings: TrainingSettings): string {
  const configuration = {
    ...generalOptionsOf(settings),
    weights: settings.weights?.source ?? null,
    ...settings.options,
  };
  return `${JSON.stringify(configuration, null, 2)}\n`;
}

/** A flag in words, for messages: "--size". */
export const flagOf = (name: keyof typeof TRAINING_OPTIONS): string => `--${flagName(name, TRAINING_OPTIONS[name])}`;
