import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { FloatDType } from "../tensor/tensor.ts";
import { BACKBONES, MOST_SIDE, type Backbone, type BackboneName } from "./backbone.ts";
import { efficientNetBackbone } from "./efficientnet/backbone.ts";
import type { Checkpoint } from "./efficientnet/checkpoint.ts";
import type { NetworkPadding } from "./efficientnet/efficientnet.ts";
import { embeddedBackbone } from "./embedded.ts";

/** What a backbone is made for, and from. */
export interface BackboneOptions {
  /** Side of the square that images are resized to, pixels. */
  readonly inputSize: number;
  /** Weights of an EfficientNet. */
  readonly checkpoint?: Checkpoint | null;
  /** Default "same", what the published weights were trained with. */
  readonly padding?: NetworkPadding | null;
  /** What an EfficientNet stores weights and activations in; features are f32. Default f32. */
  readonly dtype?: FloatDType;
}

/**
 * The backbone of that name.
 * @throws OptionError for another name, or a size the backbone does not take; InputError for weights that are missing or do not fit
 */
export async function createBackbone(
  device: Device,
  name: BackboneName,
  { inputSize, checkpoint, padding, dtype = "f32" }: BackboneOptions,
): Promise<Backbone> {
  if (!BACKBONES.includes(name)) throw new OptionError(`expected backbone to be one of ${BACKBONES.join(", ")}, got ${String(name)}`);
  if (!(inputSize <= MOST_SIDE)) throw new OptionError(`${name}: expected images of a side of at most ${MOST_SIDE} pixels, got ${inputSize}`);
  if (name === "embedded") return embeddedBackbone(device, inputSize);
  if (!checkpoint) {
    const understood = "timm, torchvision and efficientnet_pytorch are understood";
    throw new InputError(`${name} needs its weights: name a safetensors file of them (${understood})`);
  }
  return efficientNetBackbone(device, name, inputSize, checkpoint, { padding: padding ?? "same", dtype });
}
