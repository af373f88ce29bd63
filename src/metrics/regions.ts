/** Which connected region each pixel belongs to. */
export interface Regions {
  /** Row-major: 0 outside every region, else 1 .. count. */
  readonly labels: Int32Array;
  readonly count: number;
}

/**
 * The 8-connected regions of a mask.
 * @param mask row-major, width * height; anything but 0 belongs to a region
 */
export function connectedRegions(mask: Uint8Array, width: number, height: number): Regions {
  const labels = new Int32Array(mask.length);
  const open: number[] = [];
  let count = 0;
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] === 0 || labels[start] !== 0) continue;
    labels[start] = ++count;
    open.push(start);
    while (open.length > 0) {
      const at = open.pop()!;
      const [x, y] = [at % width, Math.floor(at / width)];
      for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++) {
        for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
          const neighbour = j * width + i;
          if (mask[neighbour] === 0 || labels[neighbour] !== 0) continue;
          labels[neighbour] = count;
          open.push(neighbour);
        }
      }
    }
  }
  return { labels, count };
}
