import { calibration } from "./calibration.ts";
import { capture } from "./capture.ts";
import { contract } from "./contract.ts";
import { datasetLists, datasets } from "./datasets.ts";
import { gridGradient } from "./grid_gradient.ts";
import { layers } from "./layers.ts";
import { crad } from "./methods/crad.ts";
import { dfr } from "./methods/dfr.ts";
import { grad } from "./methods/grad.ts";
import { padim } from "./methods/padim.ts";
import { patchcore } from "./methods/patchcore.ts";
import { riad } from "./methods/riad.ts";
import { simplenet } from "./methods/simplenet.ts";
import { uniad } from "./methods/uniad.ts";
import { pipeline } from "./pipeline.ts";
import { region } from "./region.ts";
import { results } from "./results.ts";
import { training } from "./training.ts";
import { work } from "./work.ts";

/** Makers of all pictures of docs/pictures, by their files' names without the ending. */
export const PICTURES: Readonly<Record<string, () => string | Promise<string>>> = {
  pipeline,
  layers,
  training,
  calibration,
  grid_gradient: gridGradient,
  capture,
  region,
  results,
  work,
  datasets,
  dataset_lists: datasetLists,
  contract,
  grad,
  crad,
  patchcore,
  padim,
  dfr,
  simplenet,
  uniad,
  riad,
};
