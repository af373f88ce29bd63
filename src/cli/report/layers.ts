import { join } from "node:path";
import type { Item } from "../../data/dataset.ts";
import type { Detector } from "../../detection/detector.ts";
import { heatLayer, maskContour, type HeatMap } from "../../io/heat.ts";
import type { DecodedImage } from "../../io/image.ts";
import { sizeWithin } from "../../io/placement.ts";
import { decodeMasks, encodeJpeg, encodePng } from "../../node/images.ts";
import { dataUrl } from "./html.ts";

/** A photograph for a page, as data URLs, cut to what a detector sees of it. */
export interface Photograph {
  /** Width over height. */
  readonly aspect: number;
  readonly picture: string;
  /** The outline of its masks; null if it has none. */
  readonly contour: string | null;
}

/** @param longest pixels of the longer side, at most */
export async function photographLayers(
  detector: Pick<Detector, "placementOf">,
  root: string,
  { masks }: Item,
  image: DecodedImage,
  longest: number,
): Promise<Photograph> {
  const { source } = detector.placementOf(image);
  const { width, height } = sizeWithin(source, longest);
  const target = { left: 0, top: 0, width, height };
  const mask = await decodeMasks(
    masks.map((path) => join(root, path)),
    width,
    height,
    (mask) => ({ source: detector.placementOf(mask).source, target }),
  );
  return {
    aspect: width / height,
    picture: dataUrl("jpeg", await encodeJpeg(image, width, height, source)),
    contour: mask && dataUrl("png", await encodePng(maskContour(mask, width, height), width, height)),
  };
}

/** The heat of a photograph, transparent where nothing looks wrong, as a data URL. */
export async function heatUrl(inspection: HeatMap): Promise<string> {
  const heat = heatLayer(inspection);
  return dataUrl("png", await encodePng(heat.data, heat.width, heat.height));
}
