import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { BACKBONES, type Backbone, type BackboneName } from "./backbone.ts";
import { embeddedBackbone } from "./embedded/filters.ts";

/**
 * The backbone of that name.
 * @param inputSize side of the square that images are resized to, pixels
 * @throws OptionError for another name, or a size the backbone does not take
 */
export function createBackbone(device: Device, name: BackboneName, inputSize: number): Backbone {
  switch (name) {
    case "embedded":
      return embeddedBackbone(device, inputSize);
    default:
      throw new OptionError(`expected backbone to be one of ${BACKBONES.join(", ")}, got ${String(name)}`);
  }
}
