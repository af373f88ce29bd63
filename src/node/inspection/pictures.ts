import type { OverlayOptions } from "sharp";
import type { Defects } from "../../detection/defects.ts";
import type { Inspection } from "../../detection/inspection.ts";
import { maskContour, paintHeat } from "../../io/heat.ts";
import type { DecodedImage } from "../../io/image.ts";
import { encodePng, loadSharp } from "../images.ts";
import type { PictureKind } from "./result.ts";

/** Encoders of each kind of picture, as PNG of the image's own size. */
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
