import { join } from "node:path";
import type { Item } from "../../data/dataset.ts";
import type { Detector } from "../../detection/detector.ts";
import { maskContour } from "../../io/contour.ts";
import { heatLayer, type HeatMap } from "../../io/heat.ts";
import type { Picture } from "../../io/image.ts";
import { sizeWithin } from "../../io/placement.ts";
import { shrunkCopy, shrunkMap } from "../../io/shrink.ts";
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

const COPY_SIDE = 2048; // of the copy that a picture is made of, where the photograph is not in memory

/** @param longest pixels of the longer side, at most */
export async function photographLayers(
  detector: Pick<Detector, "placementOf">,
  root: string,
  { masks }: Item,
  image: Picture,
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
    picture: dataUrl(
      "jpeg",
      "data" in image
        ? await encodeJpeg(image, width, height, source)
        : await encodeJpeg(await shrunkCopy(image, COPY_SIDE), width, height), // only seen as a whole
    ),
    contour: mask && dataUrl("png", await encodePng(maskContour(mask, width, height), width, height)),
  };
}

/** Longer side of a map in a page, pixels, at most. */
export const SHOWN_MAP = 1024;

/** The heat of a photograph, transparent where nothing looks wrong, as a data URL. */
export async function heatUrl(inspection: HeatMap): Promise<string> {
  const heat = heatLayer(shrunkMap(inspection, SHOWN_MAP));
  return dataUrl("png", await encodePng(heat.data, heat.width, heat.height));
}
