import { cast } from "../../ops/cast.ts";
import { concat } from "../../ops/shape.ts";
import { resize } from "../../ops/resize.ts";
import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import type { FloatDType, Tensor } from "../../tensor/tensor.ts";
import type { Backbone } from "../backbone.ts";
import { planOf, type EfficientNetName } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { EfficientNet, type NetworkPadding } from "./efficientnet.ts";

const LAYERS = [3, 4]; // of strides 8 and 16
const STRIDE = 8; // input pixels to a cell

/**
 * Layers 3 and 4 of an EfficientNet, the second enlarged to the first and behind it: GRAD's features.
 * @throws OptionError for a size that layer 4 does not divide; InputError if the checkpoint does not hold that network
 */
export async function efficientNetBackbone(
  device: Device,
  name: EfficientNetName,
  inputSize: number,
  checkpoint: Checkpoint,
  { padding, dtype }: { readonly padding: NetworkPadding; readonly dtype: FloatDType },
): Promise<Backbone> {
  if (!(Number.isInteger(inputSize / (2 * STRIDE)) && inputSize >= 8 * STRIDE)) {
    throw new OptionError(`${name} takes images of a side that is a multiple of ${2 * STRIDE} and at least ${8 * STRIDE}, got ${inputSize}`);
  }
  const network = await EfficientNet.load(device, name, checkpoint, { layers: LAYERS, padding, dtype });
  const { blocks, layerEnds } = planOf(name);
  const cells = inputSize / STRIDE;
  const extract = (images: Tensor): Tensor => {
    using scope = device.scope();
    const [fine, coarse] = network.features(images) as [Tensor, Tensor];
    return scope.keep(cast(concat([fine, resize(coarse, [cells, cells], { alignCorners: true })]), "f32"));
  };
  return {
    settings: { name, padding, weights: checkpoint.sha256 },
    inputSize,
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
    cells,
    channels: LAYERS.reduce((sum, layer) => sum + blocks[layerEnds[layer - 1]!]!.outputs, 0),
    standardise: false,
    extract,
    release: () => network.release(),
  };
}
