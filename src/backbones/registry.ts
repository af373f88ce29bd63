import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { FloatDType } from "../tensor/tensor.ts";
import { MOST_SIDE, type Backbone, type NetworkPadding } from "./backbone.ts";
import { efficientNet } from "./efficientnet.ts";
import { embeddedBackbone } from "./embedded.ts";
import { networkBackbone, networkTensors, type Network } from "./network.ts";
import { blankWeights } from "./parts.ts";
import { resnet } from "./resnet.ts";
import type { PretrainedWeights } from "./weights.ts";

/** Pretrained networks, a line each: description, default stages, the hub's repository of public weights. */
const NETWORKS = {
  "efficientnet-b0": [() => efficientNet("efficientnet-b0"), ["layer3", "layer4"], "timm/tf_efficientnet_b0.aa_in1k"],
  "efficientnet-b1": [() => efficientNet("efficientnet-b1"), ["layer3", "layer4"], "timm/tf_efficientnet_b1.aa_in1k"],
  "efficientnet-b2": [() => efficientNet("efficientnet-b2"), ["layer3", "layer4"], "timm/tf_efficientnet_b2.aa_in1k"],
  "efficientnet-b3": [() => efficientNet("efficientnet-b3"), ["layer3", "layer4"], "timm/tf_efficientnet_b3.aa_in1k"],
  "efficientnet-b4": [() => efficientNet("efficientnet-b4"), ["layer3", "layer4"], "timm/tf_efficientnet_b4.aa_in1k"],
  "efficientnet-b5": [() => efficientNet("efficientnet-b5"), ["layer3", "layer4"], "timm/tf_efficientnet_b5.aa_in1k"],
  "efficientnet-b6": [() => efficientNet("efficientnet-b6"), ["layer3", "layer4"], "timm/tf_efficientnet_b6.aa_in1k"],
  "efficientnet-b7": [() => efficientNet("efficientnet-b7"), ["layer3", "layer4"], "timm/tf_efficientnet_b7.aa_in1k"],
  resnet18: [() => resnet("resnet18"), ["layer2", "layer3"], "timm/resnet18.tv_in1k"],
  resnet50: [() => resnet("resnet50"), ["layer2", "layer3"], "timm/resnet50.tv_in1k"],
  "wide-resnet50-2": [() => resnet("wide-resnet50-2"), ["layer2", "layer3"], "timm/wide_resnet50_2.tv_in1k"],
} as const satisfies Readonly<Record<string, NetworkEntry>>;

/** A network's description, the stages that it is commonly used with, the hub's repository of its public weights. */
type NetworkEntry = readonly [describe: () => Network, stages: readonly string[], repository: string];

/** Name of a backbone with pretrained weights. */
export type PretrainedName = keyof typeof NETWORKS;
export const PRETRAINED = Object.keys(NETWORKS) as readonly PretrainedName[];

/** Name of a backbone. */
export type BackboneName = "embedded" | PretrainedName;
/** Names of all backbones. */
export const BACKBONES: readonly BackboneName[] = ["embedded", ...PRETRAINED];

/** True for the name of a backbone with pretrained weights. */
export const isPretrained = (name: string): name is PretrainedName => Object.hasOwn(NETWORKS, name);

/** Returns the hub's repository of a network's public weights. */
export const repositoryOf = (name: PretrainedName): string => NETWORKS[name][2];

/** Describes a network. */
export const networkOf = (name: PretrainedName): Network => NETWORKS[name][0]();

/** Options of a backbone. */
export interface BackboneOptions {
  /** Side of the square that images are resized to, pixels: a multiple, at least the fourth, of the coarsest stride. */
  readonly inputSize: number;
  /** Names of the stages whose maps are wanted. Default: those that the network is commonly used with. */
  readonly stages?: readonly string[] | null;
  /** Pretrained weights; required by every network but the embedded one, which takes none. */
  readonly weights?: PretrainedWeights | null;
  /** For EfficientNets. Default "same", as the published weights were trained. */
  readonly padding?: NetworkPadding | null;
  /** Storage of weights and activations. Default f32. */
  readonly dtype?: FloatDType;
}

/**
 * Makes a backbone by name.
 * @throws OptionError for an unknown name or stage, a size that the backbone does not take, or an option that it does
 * not have; InputError for weights that are missing or do not fit
 */
export async function createBackbone(
  device: Device,
  name: BackboneName,
  { inputSize, stages = null, weights = null, padding = null, dtype = "f32" }: BackboneOptions,
): Promise<Backbone> {
  if (!BACKBONES.includes(name)) {
    throw new OptionError(`expected backbone to be one of ${BACKBONES.join(", ")}, got ${String(name)}`);
  }
  if (!(inputSize <= MOST_SIDE)) {
    throw new OptionError(`${name}: expected images of a side of at most ${MOST_SIDE} pixels, got ${inputSize}`);
  }
  if (name === "embedded") {
    if (weights || padding) throw new OptionError("the embedded backbone takes no weights and no padding: omit them");
    return embeddedBackbone(device, inputSize, stages);
  }
  const network = networkOf(name);
  if (!weights) {
    const understood = Object.keys(network.eps).join(", ");
    throw new InputError(`${name} needs its weights: name a safetensors file of them (names of ${understood})`);
  }
  return networkBackbone(device, network, inputSize, stages ?? NETWORKS[name][1], weights, { padding, dtype });
}

/** Makes a backbone whose weights are all 0, for dry runs. */
export async function blankBackbone(
  device: Device,
  name: BackboneName,
  options: Omit<BackboneOptions, "weights">,
): Promise<Backbone> {
  const weights = isPretrained(name) ? blankWeights(networkTensors(networkOf(name))) : null;
  return createBackbone(device, name, { ...options, weights });
}
