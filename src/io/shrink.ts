import type { AnomalyMap } from "./anomaly_map.ts";
import { bandsOf, readWhole, type DecodedImage, type Picture } from "./image.ts";

/**
 * A copy of a photograph whose longer side has at most so many pixels, each the mean of a square of the photograph's;
 * what is left of the last squares is cut off. One that is small enough comes back as it is.
 */
export async function shrunkCopy(picture: Picture, longest: number): Promise<DecodedImage> {
  const side = Math.ceil(Math.max(picture.width, picture.height) / longest); // of a square
  if (side === 1) return readWhole(picture);
  const [width, height] = [picture.width, picture.height].map((extent) => Math.max(1, Math.floor(extent / side))) as [
    number,
    number,
  ];
  const sums = new Float64Array(3 * width * height);
  for await (const { top, image } of bandsOf(picture)) {
    for (let y = 0; y < image.height; y++) {
      const row = Math.floor((top + y) / side);
      if (row >= height) break;
      for (let x = 0; x < width * side && x < image.width; x++) {
        const [from, to] = [4 * (y * image.width + x), 3 * (row * width + Math.floor(x / side))];
        for (let c = 0; c < 3; c++) sums[to + c]! += image.data[from + c]!;
      }
    }
  }
  const data = new Uint8Array(4 * width * height).fill(255);
  const pixels = Math.min(side, picture.width) * Math.min(side, picture.height);
  sums.forEach((sum, i) => (data[4 * Math.floor(i / 3) + (i % 3)] = Math.round(sum / pixels)));
  return { width, height, data };
}

/**
 * A map whose longer side has at most so many pixels, each the largest of a square of the map's: no defect is lost. One
 * that is small enough, or shows its photograph in a part of it, comes back as it is.
 */
export function shrunkMap<T extends AnomalyMap>(inspection: T, longest: number): T {
  const { map, size, placement } = inspection;
  const side = Math.ceil(Math.max(size.width, size.height) / longest);
  const { target } = placement;
  if (side === 1 || target.width !== size.width || target.height !== size.height) return inspection;
  const [width, height] = [Math.ceil(size.width / side), Math.ceil(size.height / side)];
  const shrunk = new Float32Array(width * height);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const to = Math.floor(y / side) * width + Math.floor(x / side);
      shrunk[to] = Math.max(shrunk[to]!, map[y * size.width + x]!);
    }
  }
  const whole = { left: 0, top: 0, width, height };
  return { ...inspection, map: shrunk, size: { width, height }, placement: { ...placement, target: whole } };
}
