import { isObject } from "../../io/json.ts";
import type { Json, JsonObject } from "../method.ts";
import { fieldsOf } from "../parts/fields.ts";

// What a file of version 3 did not say: GRAD was the only method, and joined and scored in one way.
const FILTERS = { stages: ["filters"], standardise: { mean: 0.7, variance: 24 } };
const NETWORK = { stages: ["layer3", "layer4"], standardise: null };
const SCORING = {
  alignCorners: true,
  smoothing: { kind: "box", side: 21 },
  image: { kind: "windowMean", side: 32 },
};

/** The configuration of a file of version 3 as one of version 4; it is checked afterwards. */
export function upgraded({ backbone, inputSize, fit, regions, grad, hinges, calibration }: Partial<JsonObject>): Json {
  const { stages, standardise } = fieldsOf(backbone)["name"] === "embedded" ? FILTERS : NETWORK;
  const config = {
    method: { name: "grad", config: isObject(grad) ? { ...grad, joins: hinges } : grad },
    backbone,
    input: { size: inputSize, resize: fit },
    regions,
    scoring: SCORING,
    calibration,
    assembly: { stages, alignCorners: true, localMean: 1, standardise },
  };
  return config as Json; // a field that the file lacks is missing here too
}
