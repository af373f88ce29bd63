import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { FloatDType } from "../tensor/tensor.ts";
import type { Backbone, NetworkPadding } from "./backbone.ts";
import { efficientNet } from "./efficientnet.ts";
import { embeddedBackbone } from "./embedded.ts";
import { networkBackbone, networkTensors, type Network } from "./network.ts";
import { blankWeights } from "./parts.ts";
import { resnet } from "./resnet.ts";
import type { PretrainedWeights } from "./weights.ts";

/** Pretrained networks: one line each. */
const NETWORKS = {
  "efficientnet-b0": { network: () => efficientNet("efficientnet-b0"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b0.aa_in1k" },
  "efficientnet-b1": { network: () => efficientNet("efficientnet-b1"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b1.aa_in1k" },
  "efficientnet-b2": { network: () => efficientNet("efficientnet-b2"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b2.aa_in1k" },
  "efficientnet-b3": { network: () => efficientNet("efficientnet-b3"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b3.aa_in1k" },
  "efficientnet-b4": { network: () => efficientNet("efficientnet-b4"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b4.aa_in1k" },
  "efficientnet-b5": { network: () => efficientNet("efficientnet-b5"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b5.aa_in1k" },
  "efficientnet-b6": { network: () => efficientNet("efficientnet-b6"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b6.aa_in1k" },
  "efficientnet-b7": { network: () => efficientNet("efficientnet-b7"), stages: ["layer3", "layer4"], repository: "timm/tf_efficientnet_b7.aa_in1k" },
  "resnet18": { network: () => resnet("resnet18"), stages: ["layer2", "layer3"], repository: "timm/resnet18.tv_in1k" },
  "resnet50": { network: () => resnet("resnet50"), stages: ["layer2", "layer3"], repository: "timm/resnet50.tv_in1k" },
  "wide-resnet50-2": { network: () => resnet("wide-resnet50-2"), stages: ["layer2", "layer3"], repository: "timm/wide_resnet50_2.tv_in1k" },
} as const satisfies Readonly<Record<string, NetworkEntry>>;

/** A pretrained network's line. */
interface NetworkEntry {
  readonly network: () => Network;
  /** Stages that it is commonly used with. */
  readonly stages: readonly string[];
  /** The hub's repository of its public weights. */
  readonly repository: string;
}

/** Name of a backbone with pretrained weights. */
export type PretrainedName = keyof typeof NETWORKS;
export const PRETRAINED = Object.keys(NETWORKS) as readonly PretrainedName[];

/** Name of a backbone. */
export type BackboneName = "embedded" | PretrainedName;
export const BACKBONES: readonly BackboneName[] = ["embedded", ...PRETRAINED];

/** Whether a name is that of a backbone with pretrained weights. */
export const isPretrained = (name: string): name is PretrainedName => Object.hasOwn(NETWORKS, name);

/** Returns the hub's repository of a network's public weights. */
export const repositoryOf = (name: PretrainedName): string => NETWORKS[name].repository;

/** Describes a network. */
export const networkOf = (name: PretrainedName): Network => NETWORKS[name].network();

/** Options of a backbone. */
export interface BackboneOptions {
  /** Side of the square that images are resized to, pixels: a multiple of the coarsest stage's stride, and at least four cells of it. */
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
 * @throws OptionError for an unknown name or stage, a size that the backbone does not take, or an option that it does not have; InputError for
 * weights that are missing or do not fit
 */
export async function createBackbone(
  device: Device,
  name: BackboneName,
  { inputSize, stages = null, weights = null, padding = null, dtype = "f32" }: BackboneOptions,
): Promise<Backbone> {
  if (!BACKBONES.includes(name)) throw new OptionError(`expected backbone to be one of ${BACKBONES.join(", ")}, got ${String(name)}`);
  if (name === "embedded") {
    if (weights || padding) throw new OptionError("the embedded backbone has no weights and no padding to choose; leave them out");
    return embeddedBackbone(device, inputSize, stages);
  }
  const network = networkOf(name);
  if (!weights) {
    throw new InputError(`${name} needs its weights: name a safetensors file of them (${Object.keys(network.eps).join(", ")} are understood)`);
  }
  return networkBackbone(device, network, inputSize, stages ?? NETWORKS[name].stages, weights, { padding, dtype });
}

/** Makes a backbone whose weights are all 0, for dry runs. */
export const blankBackbone = (device: Device, name: BackboneName, options: Omit<BackboneOptions, "weights">): Promise<Backbone> =>
  createBackbone(device, name, { ...options, weights: isPretrained(name) ? blankWeights(networkTensors(networkOf(name))) : null });
