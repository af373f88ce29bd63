import { isObject } from "../../io/json.ts";
import type { FeatureBlockOptions } from "../../ops/feature_block_paste.ts";
import type { Json } from "../method.ts";
import { fieldsOf, readFields, requirePositive } from "../parts/fields.ts";
import { FIELDS, requireValid, type GradConfig } from "./config.ts";
import { readJoins, type HingeJoins } from "./hinges.ts";

/** Fields that files of earlier builds lack, as they were before there was a choice. */
const EARLIER = { gridChannels: 0, headWidth: 0, abnormalTask: "detect", rows: 0, weighing: "strong" } as const;

/** Configuration kept in the model file: the model's, and how its hinges join map and score. */
export type KeptConfig = GradConfig & { readonly joins: HingeJoins };

/**
 * Reads a configuration from a file, which may hold anything.
 * @throws OptionError if it is none of GRAD
 */
export function readConfig(json: Json): KeptConfig {
  const { height, width, channels, ...settings } = readFields(
    "grad",
    FIELDS,
    isObject(json) ? { ...EARLIER, ...json } : json,
  );
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
