import type { FeatureBlockOptions } from "../../ops/feature_block_paste.ts";
import type { Json } from "../method.ts";
import { fieldsOf, readFields, requirePositive } from "../parts/fields.ts";
import { FIELDS, requireValid, type GradConfig } from "./config.ts";
import { readJoins, type HingeJoins } from "./hinges.ts";

/** Configuration kept in the model file: the model's, and how its hinges join map and score. */
export type KeptConfig = GradConfig & { readonly joins: HingeJoins };

/**
 * Reads a configuration from a file, which may hold anything.
 * @throws OptionError if it is none of GRAD
 */
export function readConfig(json: Json): KeptConfig {
  const { height, width, channels, ...settings } = readFields("grad", FIELDS, json);
  const { similarityThreshold, paste, joins } = fieldsOf(json);
  const config = {
    height,
    width,
    channels,
    similarityThreshold: requirePositive("grad", "similarityThreshold", similarityThreshold),
    ...settings,
    paste: paste as unknown as FeatureBlockOptions, // all of whose fields requireValid looks at
  };
  requireValid(config);
  return { ...config, joins: readJoins(joins) };
}
