// A static bound: what share of the card's roof a pipeline can reach at most, by its listing alone.
import { GENERATIONS, LATENCY, ridgeOf, type Card } from "./cards.ts";
import {
  bytesOf,
  isDoubled,
  isGlobalLoad,
  isGlobalStore,
  isLdsLoad,
  isLdsStore,
  isMatrix,
  isMultiply,
  isPacked,
  isScalar,
  isSlow,
  isVector,
} from "./instructions.ts";
import type { Instruction, Program, Stats } from "./listing.ts";
import { hotOf } from "./loops.ts";
import { waitsIn } from "./measures.ts";

const SLOW = 4; // times an ordinary instruction's cycles

/** Limit of a pipeline: issue of vector or scalar instructions, workgroup memory, cache, latency, or the roof itself. */
export type Limit = "vector" | "scalar" | "LDS" | "cache" | "latency" | "roof";

/** At most this share of the roof, and why not more. */
export interface Bound {
  readonly roof: "arithmetic" | "matrices" | "memory";
  readonly share: number;
  readonly limit: Limit;
}

/** Cycles for which an instruction of a subgroup holds its SIMD. */
function vectorCycles({ word, isPaired }: Instruction, lanes: number, card: Card): number {
  const { cyclesOf32, doubles, matrix } = GENERATIONS[card.generation];
  if (isPaired) return 0;
  if (isMatrix(word)) return matrix;
  const cycles = (cyclesOf32 * lanes) / 32;
  if (isSlow(word)) return SLOW * cycles;
  return doubles && lanes === 64 && isDoubled(word) ? cycles / 2 : cycles;
}

/**
 * The bound by the hot part. Cycles of a SIMD for one subgroup's way through it, of each kind; the roof's own are those
 * that its multiply-adds take at the card's peak or, if the definition counts no operations, its bytes at the memory's. No
 * two lanes are assumed to load the same, and every byte to come from memory. If operations are counted, but memory
 * takes longer than they do at the card's peak, the share is one of memory's bandwidth.
 * @param intensity operations for each byte that the definition counts
 */
export function boundOf(program: Program, { waves }: Stats, card: Card, intensity: number): Bound {
  const multiplies = intensity > 0;
  const { simds, cyclesOf32, scalar, doubles, matrix, cacheBytes } = GENERATIONS[card.generation];
  const { lanes } = program;
  const isAccess = ({ word }: Instruction): boolean => isGlobalLoad(word) || isGlobalStore(word);
  const hot = hotOf(program).instructions;
  // A loop may draw or search, and the kernel store what came of it: its way through once is the least that it takes.
  const instructions = multiplies || hot.some(isAccess) ? hot : program.instructions;
  const sum = (of: (one: Instruction) => number): number => instructions.reduce((total, one) => total + of(one), 0);
  const bytes = (is: (word: string) => boolean): number => lanes * sum(({ word }) => (is(word) ? bytesOf(word) : 0));
  const vector = sum((one) => (isVector(one.word) ? vectorCycles(one, lanes, card) : 0));
  const moved = lanes * sum((one) => (isAccess(one) ? bytesOf(one.word) : 0));
  const waiting = waitsIn(instructions).reduce(
    (total, { kind, distance }) => total + Math.max(0, LATENCY[kind] - distance),
    0,
  );
  const matrices = sum(({ word }) => (isMatrix(word) ? 1 : 0));
  const sums =
    lanes * sum(({ word, text }) => (isMultiply(word, text) && !isMatrix(word) ? (isPacked(word) ? 2 : 1) : 0));
  const roof = !multiplies ? "memory" : matrices > 0 ? "matrices" : "arithmetic";
  const peak = (32 / cyclesOf32) * (doubles ? 2 : 1);
  const least =
    roof === "memory"
      ? (moved * card.units * simds * card.megahertz) / 1e3 / card.gigabytes
      : roof === "matrices"
        ? matrices * matrix
        : sums / peak;
  const cycles: Readonly<Record<Limit, number>> = {
    roof: least,
    vector,
    scalar: scalar * sum(({ word }) => (isScalar(word) ? 1 : 0)),
    LDS: (simds * bytes((word) => isLdsLoad(word) || isLdsStore(word))) / 128,
    cache: roof === "memory" ? 0 : (simds * bytes(isGlobalLoad)) / cacheBytes,
    latency: (vector + waiting) / Math.max(1, waves),
  };
  const [limit, most] = (Object.entries(cycles) as [Limit, number][]).reduce((worst, one) =>
    one[1] > worst[1] ? one : worst,
  );
  const share = most > 0 ? least / most : 0;
  if (!multiplies || intensity >= ridgeOf(card)) return { roof, share, limit };
  const ofMemory = (share * ridgeOf(card)) / intensity;
  return ofMemory >= 1 ? { roof: "memory", share: 1, limit: "roof" } : { roof: "memory", share: ofMemory, limit };
}
