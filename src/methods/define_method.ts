import type { Backbone } from "../backbones/backbone.ts";
import type { Weights } from "../nn/weights.ts";
import type { OptionTable, ResolvedOptions } from "../runtime/option_table.ts";
import type {
  Assembly,
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

/** A method in the types of its own options and configuration. Members are those of `Method`. */
export interface MethodDefinition<Table extends OptionTable, Config extends FeatureExtents & JsonObject> extends Pick<
  Method<Table>,
  "name" | "title" | "source" | "options" | "upgraded"
> {
  /** Default: it does not. */
  readonly learnsAnomalies?: (options: ResolvedOptions<Table>) => boolean;
  readonly assembly: (options: ResolvedOptions<Table>, backbone: Pick<Backbone, "stages" | "standardise">) => Assembly;
  readonly scoring: (options: ResolvedOptions<Table>) => Scoring;
  readonly configure: (spec: FeatureSpec, options: ResolvedOptions<Table>) => Config;
  readonly plan: (config: Config, options: ResolvedOptions<Table>, images: number) => readonly StagePlan[];
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
  assembly,
  scoring,
  configure,
  plan,
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
    assembly: (options, backbone) => assembly(own(options), backbone),
    scoring: (options) => scoring(own(options)),
    configure: (spec, options) => configure(spec, own(options)),
    plan: (config, options, images) => plan(read(config), own(options), images),
    remarks: (config) => remarks(read(config)),
    begin: (config, options, input) => begin(read(config), own(options), input),
    restore: (config, weights) => restore(read(config), weights),
    validate: (config) => {
      const { height, width, channels } = read(config);
      return { height, width, channels };
    },
  };
}
