import type { OverlayOptions } from "sharp";
import type { Defects } from "../../detection/defects.ts";
import type { Inspection } from "../../detection/inspection.ts";
import { enlargeMap } from "../../io/anomaly_map.ts";
import { maskContour, paintHeat } from "../../io/heat.ts";
import type { DecodedImage } from "../../io/image.ts";
import { encodeHalfTiff } from "../half_tiff.ts";
import { encodePng, loadSharp } from "../images.ts";
import type { PictureKind } from "./result.ts";

/** The file of a picture, of the kind, whose name as PNG is given. */
export const fileOf = (kind: PictureKind, png: string): string =>
  kind === "map" ? png.replace(/\.png$/, ".tiff") : png;

/** Encoders of each kind of picture, of the image's own size: as PNG, the map itself as TIFF of 16-bit floats. */
export const PICTURES: Readonly<
  Record<PictureKind, (image: DecodedImage, inspection: Inspection, found: Defects) => Promise<Uint8Array>>
> = {
  heatMap: (image, inspection) => over(paintHeat(image, inspection), null),
  mask: ({ width, height }, _inspection, { mask }) =>
    encodePng(
      mask.map((pixel) => 255 * pixel),
      width,
      height,
    ),
  contour: (image, _inspection, { mask, defects }) => {
    const outline = defects.length === 0 ? null : maskContour(mask, image.width, image.height);
    return over(
      image,
      outline && { input: Buffer.from(outline.buffer), raw: { width: image.width, height: image.height, channels: 4 } },
    );
  },
  map: ({ width, height }, inspection) => encodeHalfTiff(enlargeMap(inspection), width, height),
};

/** A photograph, with something laid over it. */
async function over({ data, width, height }: DecodedImage, layer: OverlayOptions | null): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return sharp(data, { raw: { width, height, channels: 4 } })
    .composite(layer ? [layer] : [])
    .removeAlpha()
    .png()
    .toBuffer();
}
