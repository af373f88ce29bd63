// What is wanted of a pipeline's listing, by class of kernel, and what it falls short of.
import type { Bound } from "./bound.ts";
import { ridgeOf, type Card } from "./cards.ts";
import type { Measures } from "./measures.ts";
import type { Stats } from "./listing.ts";

const LEAST_SHARE = 0.9; // of vector instructions that multiply
const MULTIPLIES_OF_LOAD = 8; // at least, for each load from workgroup memory
const MULTIPLIES_OF_MATRIX = 16 ** 3 / 64; // of each of 64 lanes, in a product of matrices
const LEAST_WAVES = 8;
const LEAST_WIDE = 0.5; // of accesses in packs

/**
 * Kernels whose operations take the card longer than their bytes; reductions, which exchange numbers within a workgroup;
 * all others, whose bytes count.
 */
export type Kind = "product" | "reduction" | "bandwidth";

export const KINDS: readonly Kind[] = ["product", "reduction", "bandwidth"];

const PACK_BITS: Readonly<Record<string, number>> = { f32x4: 128, u32x4: 128, f16x4: 64 };

/** @param intensity operations for each byte */
export function kindOf(intensity: number, { shared }: Pick<Stats, "shared">, card: Card): Kind {
  if (intensity >= ridgeOf(card)) return "product";
  return intensity === 0 && shared > 0 ? "reduction" : "bandwidth";
}

/** Share of vector instructions that multiply. */
export const shareOf = ({ multiplies, vector }: Pick<Measures, "multiplies" | "vector">): number =>
  vector > 0 ? multiplies / vector : 0;

/** Share of the accesses to memory that are of a pack's width. */
function wideShare({ widths }: Measures, bits: number): number {
  const counts = Object.entries(widths);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const wide = counts.reduce((sum, [width, count]) => sum + (Number(width) >= bits ? count : 0), 0);
  return total > 0 ? wide / total : 1;
}

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

/** In what a pipeline falls short; nothing if it is as wanted. */
export function shortfalls(
  kind: Kind,
  element: string,
  intensity: number,
  bound: Bound,
  stats: Stats,
  measures: Measures,
): readonly string[] {
  const { multiplies, matrices, ldsLoads, clamps, divisions, waits, isLoop } = measures;
  const sums = multiplies + (MULTIPLIES_OF_MATRIX - 1) * matrices;
  const share = shareOf(measures);
  const bits = PACK_BITS[element];
  const checks: readonly (readonly [boolean, string])[] = [
    [stats.spills > 0, counted(stats.spills, "spill")],
    [stats.scratch > 0, `${stats.scratch} bytes of scratch`],
    ...(kind === "product"
      ? ([
          [!(share >= LEAST_SHARE), `${Math.round(100 * share)} % multiply-adds`],
          [clamps > 0, counted(clamps, "clamp")],
          [ldsLoads * MULTIPLIES_OF_LOAD > sums, `${(sums / ldsLoads).toFixed(1)} multiply-adds an LDS load`],
          [isLoop && waits > 0, `${counted(waits, "wait")} directly behind loads`],
          [stats.waves < LEAST_WAVES, counted(stats.waves, "wave")],
        ] as const)
      : ([
          [isLoop && divisions > 0, `${counted(divisions, "division")} in the loop`],
          [
            intensity > 0 && bound.share < 1,
            `at most ${Math.round(100 * bound.share)} % of memory's bandwidth, by ${bound.limit}`,
          ],
          [bits !== undefined && wideShare(measures, bits) < LEAST_WIDE, `accesses narrower than ${bits} bits`],
        ] as const)),
  ];
  return checks.flatMap(([isShort, text]) => (isShort ? [text] : []));
}
