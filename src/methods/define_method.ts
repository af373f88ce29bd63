import type { Backbone } from "../backbones/backbone.ts";
import type { Weights } from "../nn/weights.ts";
import { OptionError } from "../runtime/errors.ts";
import { shorterOptions, type OptionTable, type ResolvedOptions } from "../runtime/option_table.ts";
import type {
  Assembly,
  ContinuationKind,
  FeatureExtents,
  FeatureSpec,
  Fit,
  FitInput,
  Json,
  JsonObject,
  Method,
  MethodOptions,
  Model,
  Scoring,
  StagePlan,
} from "./method.ts";

/** A fit that goes on from a model. */
export interface ContinuedFit<Options, Config> {
  readonly kind: ContinuationKind;
  /** Fields of the configuration that the model has learned: they stay. Default: none. */
  readonly learned?: readonly (keyof Config)[];
  /** Options that the model has learned, or that go by the number of images: they may differ from it. Default: none. */
  readonly open?: readonly (keyof Options)[];
  /** Options of the fit in place of those of the training. Default: none. */
  readonly options?: Partial<Options>;
}

/** A method in the types of its own options and configuration. Members are those of `Method`. */
export interface MethodDefinition<Table extends OptionTable, Config extends FeatureExtents & JsonObject> extends Pick<
  Method<Table>,
  "name" | "title" | "source" | "suits" | "options" | "upgraded"
> {
  /** Default: it does not. */
  readonly learnsAnomalies?: (options: ResolvedOptions<Table>) => boolean;
  /** Default: it does not. */
  readonly suitsFew?: (options: ResolvedOptions<Table>) => boolean;
  readonly assembly: (options: ResolvedOptions<Table>, backbone: Pick<Backbone, "stages" | "standardise">) => Assembly;
  readonly scoring: (options: ResolvedOptions<Table>) => Scoring;
  readonly configure: (spec: FeatureSpec, options: ResolvedOptions<Table>) => Config;
  /** @param before null for a new model */
  readonly plan: (
    config: Config,
    options: ResolvedOptions<Table>,
    images: number,
    before: Config | null,
  ) => readonly StagePlan[];
  /** The way in which a fit goes on from a model, and what it keeps of it. Default: by steps, with nothing kept. */
  readonly continued?: (
    before: Config,
    options: ResolvedOptions<Table>,
    fresh: Config,
  ) => ContinuedFit<ResolvedOptions<Table>, Config>;
  /** Default: none. */
  readonly remarks?: (config: Config) => readonly string[];
  readonly begin: (config: Config, options: ResolvedOptions<Table>, input: FitInput) => Fit;
  readonly restore: (config: Config, weights: Weights) => Model;
  /**
   * Reads a configuration from a file, which may hold anything (`readFields` in parts/fields.ts does most of it).
   * @throws OptionError if it is not one of this method
   */
  readonly read: (config: Json) => Config;
}

/** Makes a method that anybody may hold, whatever its options and its configuration are: it reads each that it is given. */
export function defineMethod<Table extends OptionTable, Config extends FeatureExtents & JsonObject>({
  learnsAnomalies = () => false,
  suitsFew = () => false,
  assembly,
  scoring,
  configure,
  plan,
  continued = () => ({ kind: "steps" }),
  remarks = () => [],
  begin,
  restore,
  read,
  ...rest
}: MethodDefinition<Table, Config>): Method<Table> {
  // Whoever holds a method has resolved the options by its table, as the contract says.
  const own = (options: MethodOptions) => options as ResolvedOptions<Table>;
  return {
    ...rest,
    learnsAnomalies: (options) => learnsAnomalies(own(options)),
    suitsFew: (options) => suitsFew(own(options)),
    assembly: (options, backbone) => assembly(own(options), backbone),
    scoring: (options) => scoring(own(options)),
    configure: (spec, options) => configure(spec, own(options)),
    plan: (config, options, images, before) =>
      plan(read(config), own(options), images, before === undefined || before === null ? null : read(before)),
    continued: (before, spec, options, share) => {
      const [model, fresh] = [read(before), configure(spec, own(options))];
      const { kind, learned = [], open = [], options: other = {} } = continued(model, own(options), fresh);
      for (const name of Object.keys(rest.options)) {
        const [now, was] = [fresh[name], model[name]].map((value) => JSON.stringify(value));
        if (now !== was && !open.includes(name))
          throw new OptionError(
            `method ${rest.name}: expected ${name} ${was}, as the model has that training goes on from, got ${now}`,
          );
      }
      const kept = Object.fromEntries(learned.map((field) => [field, model[field]]));
      return {
        kind,
        config: { ...fresh, ...kept },
        options: { ...shorterOptions(rest.options, options, share), ...other },
      };
    },
    remarks: (config) => remarks(read(config)),
    begin: (config, options, input) => begin(read(config), own(options), input),
    restore: (config, weights) => restore(read(config), weights),
    validate: (config) => {
      const { height, width, channels } = read(config);
      return { height, width, channels };
    },
  };
}
