import { InputError } from "../runtime/errors.ts";

/** Connected regions of a mask, as a label for each pixel. */
export interface Regions {
  /** Row-major: 0 outside every region, otherwise 1 .. count, in the order of the regions' first pixels. */
  readonly labels: Int32Array;
  readonly count: number;
  /** Number of pixels of each region; label k's is at k - 1. */
  readonly areas: readonly number[];
}

/**
 * The 8-connected regions of a mask.
 *
 * @param mask row-major, width * height; nonzero pixels belong to regions
 * @throws InputError if the mask has another length
 */
export function connectedRegions(mask: Uint8Array, width: number, height: number): Regions {
  if (mask.length !== width * height)
    throw new InputError(`expected ${width} x ${height} mask values, got ${mask.length}`);
  const labels = new Int32Array(mask.length);
  let pixels = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i] !== 0) pixels++;
  const open = new Int32Array(pixels); // a stack: a pixel is pushed once, when it gets its label
  const areas: number[] = [];
  let count = 0;
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] === 0 || labels[start] !== 0) continue;
    labels[start] = ++count;
    open[0] = start;
    let area = 1;
    for (let depth = 1; depth > 0;) {
      const at = open[--depth]!;
      const x = at % width;
      const y = (at - x) / width;
      for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++) {
        for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
          const neighbour = j * width + i;
          if (mask[neighbour] === 0 || labels[neighbour] !== 0) continue;
          labels[neighbour] = count;
          area++;
          open[depth++] = neighbour;
        }
      }
    }
    areas.push(area);
  }
  return { labels, count, areas };
}
