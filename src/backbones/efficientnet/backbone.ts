import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import type { FloatDType } from "../../tensor/tensor.ts";
import type { Backbone, NetworkPadding } from "../backbone.ts";
import { planOf, type EfficientNetName } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { EfficientNet } from "./efficientnet.ts";

const STAGES = ["layer1", "layer2", "layer3", "layer4", "layer5"]; // of strides 2 to 32
const DEFAULT_STAGES = ["layer3", "layer4"]; // GRAD's and CRAD's

/**
 * Makes an EfficientNet with the given stages, layer1 to layer5. Default: layer3 and layer4.
 * @throws OptionError for an unknown stage, or a size that the coarsest stage's stride does not divide; InputError if the weights are of
 * another network
 */
export async function efficientNetBackbone(
  device: Device,
  name: EfficientNetName,
  inputSize: number,
  checkpoint: Checkpoint,
  { stages: wanted, padding, dtype }: { readonly stages: readonly string[] | null; readonly padding: NetworkPadding; readonly dtype: FloatDType },
): Promise<Backbone> {
  const unknown = (wanted ?? []).filter((stage) => !STAGES.includes(stage));
  if (unknown.length > 0 || wanted?.length === 0) {
    throw new OptionError(`${name} has the stages ${STAGES.join(", ")}, got ${unknown.join(", ") || "none"}`);
  }
  const layers = [...new Set(wanted ?? DEFAULT_STAGES)].map((stage) => STAGES.indexOf(stage) + 1).sort((a, b) => a - b);
  const coarsest = 2 ** layers.at(-1)!;
  if (!(Number.isInteger(inputSize / coarsest) && inputSize >= 4 * coarsest)) {
    throw new OptionError(`${name} takes images of a side that is a multiple of ${coarsest} and at least ${4 * coarsest}, got ${inputSize}`);
  }
  const network = await EfficientNet.load(device, name, checkpoint, { layers, padding, dtype });
  const { blocks, layerEnds } = planOf(name);
  return {
    identity: { name, padding, weights: checkpoint.sha256 },
    input: { side: inputSize, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    stages: layers.map((layer) => ({ name: STAGES[layer - 1]!, stride: 2 ** layer, channels: blocks[layerEnds[layer - 1]!]!.outputs })),
    standardise: false,
    features: (images) => network.features(images),
    release: () => network.release(),
  };
}
