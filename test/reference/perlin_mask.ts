// Perlin noise in float64, from its definition: slopes at the points of a lattice, mixed by a curve.
import { philox, unit } from "./philox.ts";

export interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly levels: number;
  readonly cleanShare: number;
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
}

/** An image's noise, row by row; null where it has no marks. */
export function noiseOf(p: Problem, image: number): readonly number[] | null {
  const words = (draw: number) => philox([draw, image, p.step, p.stream], [p.seed, 1]);
  const [coin, across, down] = words(0);
  if (unit(coin) < p.cleanShare) return null;
  const squares = (word: number) => 2 ** Math.floor(unit(word) * p.levels);
  const [nx, ny] = [squares(across), squares(down)];
  const slopes = Array.from({ length: ny + 1 }, (_r, j) =>
    Array.from({ length: nx + 1 }, (_c, i) => 2 * Math.PI * unit(words(1 + 256 * j + i)[0])),
  );
  const curve = (t: number) => 6 * t ** 5 - 15 * t ** 4 + 10 * t ** 3;
  return Array.from({ length: p.height * p.width }, (_, cell) => {
    const u = (((cell % p.width) + 0.5) * nx) / p.width;
    const v = ((Math.floor(cell / p.width) + 0.5) * ny) / p.height;
    let sum = 0;
    for (const i of [Math.floor(u), Math.floor(u) + 1]) {
      for (const j of [Math.floor(v), Math.floor(v) + 1]) {
        const ramp = Math.cos(slopes[j]![i]!) * (u - i) + Math.sin(slopes[j]![i]!) * (v - j);
        sum += ramp * curve(1 - Math.abs(u - i)) * curve(1 - Math.abs(v - j));
      }
    }
    return Math.SQRT2 * sum;
  });
}
