import { requireExtent } from "./extent.ts";
import type { Size } from "./placement.ts";

/**
 * Outlines the regions of a mask: a white line just outside each region, with a dark halo; the region itself stays
 * transparent. At the edge of the image the line runs inside the region, so that every outline is closed.
 *
 * @param mask row-major `[height, width]`, nonzero inside
 * @param width pixels per row
 * @param height rows
 * @returns RGBA, 8 bits per channel, row-major `[height, width, 4]`; line and halo are 1 pixel wide each, 2 in images
 *   over 320 pixels
 * @throws ShapeError if the mask does not have width x height values
 */
export function maskContour(mask: Uint8Array, width: number, height: number): Uint8Array {
  requireExtent("maskContour", "mask", mask, width, height);
  return contourRows(() => mask, { width, height }, 0, height);
}

/**
 * Outlines the regions of a mask as `maskContour` does, in some rows of an image.
 * @param maskRows gives so many rows of the mask from one on
 * @param image the size of all of it
 * @param top the first of the rows
 */
export function contourRows(
  maskRows: (top: number, height: number) => Uint8Array,
  { width, height }: Size,
  top: number,
  count: number,
): Uint8Array {
  const line = Math.max(width, height) > 320 ? 2 : 1;
  const reach = 2 * line;
  const first = Math.max(0, top - reach);
  const rows = Math.min(height, top + count + reach) - first;
  const mask = maskRows(first, rows);
  const rgba = new Uint8Array(4 * width * count);
  if (mask.every((pixel) => pixel === 0)) return rgba;
  for (let y = top; y < top + count; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * ((y - top) * width + x);
      const paint = (level: number, alpha: number): void => rgba.set([level, level, level, alpha], at);
      if (mask[(y - first) * width + x] !== 0) {
        if (Math.min(x, y, width - 1 - x, height - 1 - y) < line) paint(255, 255);
        continue;
      }
      const squared = squaredDistance(mask, width, rows, x, y - first, reach);
      // Half a pixel of slack makes the rings round: sqrt(2) still belongs to a ring of radius 1.
      if (squared <= (line + 0.5) ** 2) paint(255, 255);
      else if (squared <= (reach + 0.5) ** 2) paint(16, 170);
    }
  }
  return rgba;
}

/** The squared distance from a pixel to the nearest one inside the mask, Infinity if there is none within reach. */
function squaredDistance(mask: Uint8Array, width: number, height: number, x: number, y: number, reach: number): number {
  let nearest = Infinity;
  for (let v = Math.max(y - reach, 0); v <= Math.min(y + reach, height - 1); v++) {
    for (let u = Math.max(x - reach, 0); u <= Math.min(x + reach, width - 1); u++) {
      if (mask[v * width + u] !== 0) nearest = Math.min(nearest, (u - x) ** 2 + (v - y) ** 2);
    }
  }
  return nearest;
}
