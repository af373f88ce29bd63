import type { Defects } from "../../detection/defects.ts";
import type { Inspection } from "../../detection/inspection.ts";
import { contourRows } from "../../io/contour.ts";
import { enlargeMap } from "../../io/anomaly_map.ts";
import { HeatPainter } from "../../io/heat.ts";
import { bandsOf, type Picture } from "../../io/image.ts";
import { encodeHalfTiff } from "../half_tiff.ts";
import { pngParts } from "../png.ts";
import type { PictureKind } from "./result.ts";

/** The file of a picture, of the kind, whose name as PNG is given. */
export const fileOf = (kind: PictureKind, png: string): string =>
  kind === "map" ? png.replace(/\.png$/, ".tiff") : png;

/**
 * Encoders of each kind of picture, of the image's own size, part by part: as PNG, the map itself as TIFF of 16-bit
 * floats.
 */
export const PICTURES: Readonly<
  Record<PictureKind, (image: Picture, inspection: Inspection, found: Defects) => AsyncGenerator<Uint8Array>>
> = {
  heatMap: (image, inspection) => pngParts(image, 3, heatBands(image, inspection)),
  mask: (image, _inspection, found) => pngParts(image, 1, maskBands(image, found)),
  contour: (image, _inspection, found) => pngParts(image, 3, contourBands(image, found)),
  map: (image, inspection) => mapParts(image, inspection),
};

async function* mapParts({ width, height }: Picture, inspection: Inspection): AsyncGenerator<Uint8Array> {
  yield await encodeHalfTiff(enlargeMap(inspection), width, height);
}

async function* heatBands(image: Picture, inspection: Inspection): AsyncGenerator<Uint8Array> {
  const painter = new HeatPainter(image, inspection);
  for await (const { top, image: rows } of bandsOf(image)) yield coloursOf(painter.paint(rows, top).data);
}

const MASK_PIXELS = 2 ** 20; // of a band

function* maskBands({ width, height }: Picture, found: Defects): Generator<Uint8Array> {
  const rows = Math.max(1, Math.floor(MASK_PIXELS / width));
  for (let top = 0; top < height; top += rows)
    yield found.maskRows(top, Math.min(rows, height - top)).map((pixel) => 255 * pixel);
}

async function* contourBands(image: Picture, found: Defects): AsyncGenerator<Uint8Array> {
  for await (const { top, image: rows } of bandsOf(image)) {
    const colours = coloursOf(rows.data);
    const outline = contourRows((first, count) => found.maskRows(first, count), image, top, rows.height);
    for (let i = 0; i < outline.length; i += 4) {
      const alpha = outline[i + 3]! / 255;
      if (alpha === 0) continue;
      for (let c = 0; c < 3; c++) {
        const at = (i / 4) * 3 + c;
        colours[at] = Math.round(outline[i + c]! * alpha + colours[at]! * (1 - alpha));
      }
    }
    yield colours;
  }
}

/** RGBA without its alpha. */
function coloursOf(rgba: Uint8Array): Uint8Array {
  const colours = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    colours[to++] = rgba[from]!;
    colours[to++] = rgba[from + 1]!;
    colours[to++] = rgba[from + 2]!;
  }
  return colours;
}
