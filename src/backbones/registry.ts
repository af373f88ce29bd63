import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { FloatDType } from "../tensor/tensor.ts";
import { MOST_SIDE, type Backbone, type NetworkPadding } from "./backbone.ts";
import { EFFICIENTNETS, planOf } from "./efficientnet/architecture.ts";
import { efficientNetBackbone } from "./efficientnet/backbone.ts";
import { blankCheckpoint, type Checkpoint } from "./efficientnet/checkpoint.ts";
import { embeddedBackbone } from "./embedded.ts";

/** Names of all backbones. */
export const BACKBONES = ["embedded", ...EFFICIENTNETS] as const;
export type BackboneName = (typeof BACKBONES)[number];
/** Names of those that need pretrained weights. */
export type PretrainedName = Exclude<BackboneName, "embedded">;

/** How a backbone is made. */
export interface BackboneOptions {
  /** Side of the square that images are resized to, pixels. */
  readonly inputSize: number;
  /** Names of the stages whose maps are wanted. Default: those that the network is commonly used with. */
  readonly stages?: readonly string[] | null;
  /** Pretrained weights; required by every network but the embedded one. */
  readonly checkpoint?: Checkpoint | null;
  /** Default "same", what the published weights were trained with. */
  readonly padding?: NetworkPadding | null;
  /** Storage of weights and activations. Default f32. */
  readonly dtype?: FloatDType;
}

/**
 * Makes a backbone by name.
 * @throws OptionError for an unknown name or stage, or a size that the backbone does not take; InputError for weights that are missing or
 * do not fit
 */
export async function createBackbone(
  device: Device,
  name: BackboneName,
  { inputSize, stages = null, checkpoint, padding, dtype = "f32" }: BackboneOptions,
): Promise<Backbone> {
  if (!BACKBONES.includes(name)) throw new OptionError(`expected backbone to be one of ${BACKBONES.join(", ")}, got ${String(name)}`);
  if (!(inputSize <= MOST_SIDE)) throw new OptionError(`${name}: expected images of a side of at most ${MOST_SIDE} pixels, got ${inputSize}`);
  if (name === "embedded") return embeddedBackbone(device, inputSize, stages);
  if (!checkpoint) {
    const understood = "timm, torchvision and efficientnet_pytorch are understood";
    throw new InputError(`${name} needs its weights: name a safetensors file of them (${understood})`);
  }
  return efficientNetBackbone(device, name, inputSize, checkpoint, { stages, padding: padding ?? "same", dtype });
}

/** Makes a backbone whose weights are all 0: for finding out what it takes. */
export const blankBackbone = (device: Device, name: BackboneName, options: Omit<BackboneOptions, "checkpoint">): Promise<Backbone> =>
  createBackbone(device, name, { ...options, checkpoint: name === "embedded" ? null : blankCheckpoint(planOf(name)) });

/** Whether a backbone needs pretrained weights. */
export const isPretrained = (name: string): name is PretrainedName => name !== "embedded";
