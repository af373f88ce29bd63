import { join } from "node:path";
import { Option, type Command } from "commander";
import { isPretrained } from "../../backbones/registry.ts";
import {
  generalOptionsOf,
  TRAINING_OPTIONS,
  type TrainingOptions,
  type TrainingSettings,
} from "../../detection/training_options.ts";
import { CONTINUATION_OPTIONS, type ContinuationOptions } from "../../detection/continuation.ts";
import type { Method } from "../../methods/method.ts";
import { DEFAULT_METHOD, loadMethod, METHOD_NAMES, type MethodName } from "../../methods/registry.ts";
import { openWeights } from "../../node/weights.ts";
import { cachedWeights } from "../../node/hub.ts";
import { InputError, OptionError } from "../../runtime/errors.ts";
import { defaultInWords, resolveOptions, type OptionSpec, type OptionTable } from "../../runtime/option_table.ts";
import { RUN_OPTIONS, type RunOptions } from "../train/run_options.ts";
import {
  addOptionFlags,
  collectSettings,
  flagName,
  readConfiguration,
  valuesOfFlags,
  valuesOfSettings,
} from "./option_flags.ts";

/** Name of a run's file of every option with its value: a valid `--config`. */
export const CONFIG_FILE = "config.json";

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

/** Heading of the flags of images, in help. */
export const DATA = "Data:";
const MODEL = "Model:";
const TRAINING = "Training:";
const OF_MODEL = ["method", "backbone", "stages", "inputSize", "resize", "tile", "overlap"];
const headingOf = (option: string): string =>
  option === "dropSuspects" ? DATA : OF_MODEL.includes(option) ? MODEL : TRAINING;
// in help alone where a method is named, so that the short help fits a screen
const IN_LONG_HELP: readonly string[] = ["stages", "overlap"];

const SETS_METHOD = "method=";

/** The method's name by a flag, by `--set` or by a configuration, in this order; undefined where none has it. */
const methodNamed = (flag: unknown, set: readonly string[], configured: Readonly<Record<string, unknown>>): unknown =>
  flag ?? set.findLast((text) => text.startsWith(SETS_METHOD))?.slice(SETS_METHOD.length) ?? configured["method"];

/**
 * The method that a command line names, by `--method`, `--set`, `--config` or `--from`; null where it names none, or an unknown
 * one, which is refused when all options are read.
 */
async function methodIn(words: readonly string[]): Promise<MethodName | null> {
  const valuesOf = (flag: string): string[] =>
    words.flatMap((word, i) => {
      if (word.startsWith(`${flag}=`)) return [word.slice(flag.length + 1)];
      const value = words[i + 1];
      return word === flag && value !== undefined ? [value] : [];
    });
  const from = valuesOf("--from").at(-1);
  const file = valuesOf("--config").at(-1) ?? (from === undefined ? undefined : join(from, CONFIG_FILE));
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
  addOptionFlags(command, "training", TRAINING_OPTIONS, (option) =>
    named === null && IN_LONG_HELP.includes(option) ? null : headingOf(option),
  );
  const ofMethod = `Method ${method.title}:`;
  addOptionFlags(command, `method ${name}`, method.options, () => (named ? ofMethod : null));
  const anomalies = new Option(
    "--anomalies <dir>",
    "dataset whose defective images with masks are also trained on (form joined)",
  );
  const learns =
    named !== null && Object.values<OptionSpec>(method.options).some(({ needsAnomalies }) => needsAnomalies);
  command
    .addOption(learns ? anomalies.helpGroup(ofMethod) : anomalies.hideHelp())
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
  const goesOn = words.some((word) => /^--from(=|$)/.test(word));
  return command.addHelpText(
    "after",
    named
      ? otherOptions(method, goesOn)
      : `\n"bigrid train --method ${name} --help" has the method's own options, and the rarer ones of training.`,
  );
}

/**
 * The options that have no flag, for help.
 * @param goesOn with those of a training that goes on from a run
 */
function otherOptions({ title, options }: Method, goesOn: boolean): string {
  const all: OptionTable = { ...TRAINING_OPTIONS, ...(goesOn && CONTINUATION_OPTIONS), ...options, ...RUN_OPTIONS };
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
 * @param from run that training goes on from, whose options no flag contradicts; null: none
 * @throws OptionError for options that are unknown, out of range or do not go together; InputError for files that
 * cannot be read
 */
export async function readTrainingOptions(
  flags: TrainFlags & Readonly<Record<string, unknown>>,
  from: string | null = null,
): Promise<{ readonly training: ContinuationOptions; readonly run: RunOptions }> {
  if (from !== null && flags.config !== undefined)
    throw new OptionError(`--config does not go with --from: ${join(from, CONFIG_FILE)} has the options; leave it out`);
  const file = from === null ? flags.config : join(from, CONFIG_FILE);
  const configured = file === undefined ? {} : await readConfiguration(file);
  const name = methodNamed(flags["method"], flags.set ?? [], configured) ?? DEFAULT_METHOD;
  if (from !== null) requireAgreement(from, configured, { method: name }, TRAINING_OPTIONS);
  const method = await loadMethod(typeof name === "string" ? name : JSON.stringify(name));
  const tables = [
    ["training", from === null ? TRAINING_OPTIONS : { ...TRAINING_OPTIONS, ...CONTINUATION_OPTIONS }],
    [`method ${method.name}`, method.options],
    ["train", RUN_OPTIONS],
  ] as const;
  const { weights: configuredWeights, ...told } = configured;
  const isOfRun = ([one]: readonly [string, unknown]): boolean => Object.hasOwn(RUN_OPTIONS, one);
  const set = Object.entries(valuesOfSettings(flags.set ?? [], tables));
  const given = {
    ...Object.fromEntries(set.filter((one) => !isOfRun(one))),
    ...valuesOfFlags(TRAINING_OPTIONS, flags),
    ...valuesOfFlags(method.options, flags),
  };
  if (from !== null) requireAgreement(from, told, given, { ...TRAINING_OPTIONS, ...method.options });
  const named = Object.entries(told);
  const ofTraining = Object.fromEntries(named.filter((one) => !isOfRun(one)));
  const training = { ...ofTraining, ...given, method: method.name } as ContinuationOptions;
  const weights = flags.weights ?? (typeof configuredWeights === "string" ? configuredWeights : undefined);
  return {
    training: { ...training, weights: await openTrainingWeights(training, weights) },
    run: resolveOptions("train", RUN_OPTIONS, Object.fromEntries([...named, ...set].filter(isOfRun))),
  };
}

/** Options that a training may change which goes on from a run, besides those of speed and memory. */
const FREE = ["falseReject", ...Object.keys(CONTINUATION_OPTIONS)];

/** @throws OptionError for an option that is not as the run has it */
function requireAgreement(
  run: string,
  configured: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
  table: OptionTable,
): void {
  for (const [name, now] of Object.entries(given)) {
    const { default: preset, tuning } = table[name] ?? {};
    const was = configured[name] ?? (typeof preset === "function" ? undefined : preset);
    if (FREE.includes(name) || tuning || JSON.stringify(now) === JSON.stringify(was)) continue;
    throw new OptionError(
      `${name} ${JSON.stringify(now)} contradicts ${run}, which was trained with ${JSON.stringify(was) ?? "another"}: leave it out, or train anew without --from`,
    );
  }
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

/** The effective configuration of a training, for its run: a valid `--config`, without what has no effect. */
export function configurationOf(settings: TrainingSettings): string {
  const { learner, options, anomalies, weights } = settings;
  const hasEffect = ([name]: readonly [string, unknown]): boolean =>
    anomalies !== null || !learner.options[name]?.needsAnomalies;
  const configuration = {
    ...generalOptionsOf(settings),
    weights: weights?.source ?? null,
    ...Object.fromEntries(Object.entries(options).filter(hasEffect)),
  };
  return `${JSON.stringify(configuration, null, 2)}\n`;
}

/** A flag in words, for messages: "--size". */
export const flagOf = (name: keyof typeof TRAINING_OPTIONS): string => `--${flagName(name, TRAINING_OPTIONS[name])}`;
