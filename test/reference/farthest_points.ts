// Definition of greedy farthest points, in float64.
import { rowsOf, squaredDistance } from "./nearest_rows.ts";

export interface Farthest {
  readonly rows: number;
  readonly channels: number;
  readonly count: number;
  readonly start: number;
}

/**
 * Greedy k-centre: from `start`, each step adds the row farthest from those chosen, the first of several; never one
 * twice.
 */
export function farthestPoints({ channels, count, start }: Farthest, rows: ArrayLike<number>): Float64Array {
  const bank = rowsOf(rows, channels);
  const chosen = [start];
  const distances = bank.map(() => Infinity);
  while (chosen.length < count) {
    bank.forEach((row, i) => {
      const distance = squaredDistance(row, bank[chosen.at(-1)!]!);
      distances[i] = Math.min(distances[i]!, Number.isNaN(distance) ? 0 : distance);
    });
    const left = bank.map((_, i) => i).filter((i) => !chosen.includes(i));
    chosen.push(left.reduce((best, i) => (distances[i]! > distances[best]! ? i : best)));
  }
  return Float64Array.from(chosen);
}
