// Cards that stand for the families that Mesa's RADV can be told to compile for, with their peak numbers as AMD states
// them: compute units, boost clock and memory bandwidth, from which its teraflops follow. Rates of instructions are those
// of AMD's RDNA white paper and instruction set references: 64 multiply-adds a unit and cycle up to RDNA 2, 128 from
// RDNA 3 on, 128 bytes of workgroup memory a unit and cycle. How many cycles a product of matrices holds a SIMD follows
// from the teraflops for f16. Latencies are assumptions.

/** A card and the rates of its parts. */
export interface Card {
  readonly name: string;
  readonly generation: Generation;
  /** Compute units. */
  readonly units: number;
  readonly megahertz: number;
  /** Memory bandwidth, in GB/s. */
  readonly gigabytes: number;
}

type Generation = keyof typeof GENERATIONS;

/** Rates of a compute unit. */
export interface Rates {
  /** SIMDs of a unit. */
  readonly simds: number;
  /** Cycles for which an ordinary vector instruction of a lane's subgroup of 32 holds its SIMD. */
  readonly cyclesOf32: number;
  /** Cycles of a SIMD that a scalar instruction takes. */
  readonly scalar: number;
  /** True if simple f32 instructions of 64 lanes take one cycle. */
  readonly doubles: boolean;
  /** Cycles of a SIMD for a product of 16 x 16 matrices of f16; 0 if there is none. */
  readonly matrix: number;
  /** Bytes that the nearest cache delivers, for each unit and cycle. */
  readonly cacheBytes: number;
}

const RDNA = { simds: 2, cyclesOf32: 1, scalar: 1, doubles: false, matrix: 0, cacheBytes: 128 } as const;

export const GENERATIONS = {
  GCN: { simds: 4, cyclesOf32: 2, scalar: 4, doubles: false, matrix: 0, cacheBytes: 64 },
  "RDNA 1": RDNA,
  "RDNA 2": RDNA,
  "RDNA 3": { ...RDNA, doubles: true, matrix: 32 },
  "RDNA 4": { ...RDNA, doubles: true, matrix: 16 },
} as const satisfies Readonly<Record<string, Rates>>;

/** Cards by family, as RADV_FORCE_FAMILY names them. */
export const CARDS: Readonly<Record<string, Card>> = {
  polaris10: { name: "Radeon RX 580", generation: "GCN", units: 36, megahertz: 1340, gigabytes: 256 },
  vega10: { name: "Radeon RX Vega 64", generation: "GCN", units: 64, megahertz: 1546, gigabytes: 484 },
  navi10: { name: "Radeon RX 5700 XT", generation: "RDNA 1", units: 40, megahertz: 1905, gigabytes: 448 },
  navi21: { name: "Radeon RX 6900 XT", generation: "RDNA 2", units: 80, megahertz: 2250, gigabytes: 512 },
  navi31: { name: "Radeon RX 7900 XTX", generation: "RDNA 3", units: 96, megahertz: 2500, gigabytes: 960 },
  gfx1150: { name: "Radeon 890M", generation: "RDNA 3", units: 16, megahertz: 2900, gigabytes: 120 },
  gfx1200: { name: "Radeon RX 9060 XT", generation: "RDNA 4", units: 32, megahertz: 3130, gigabytes: 320 },
  gfx1201: { name: "Radeon RX 9070 XT", generation: "RDNA 4", units: 64, megahertz: 2970, gigabytes: 640 },
};

/** Assumed cycles from a load to its data, from workgroup memory and from memory. */
export const LATENCY = { lds: 64, global: 500 } as const;

/** Operations for each byte from which arithmetic takes longer than memory. */
export const ridgeOf = (card: Card): number => (1e3 * teraflopsOf(card)) / card.gigabytes;

/** Multiply-adds of all units in a cycle's second, as teraflops. */
export function teraflopsOf({ generation, units, megahertz }: Card): number {
  const { doubles } = GENERATIONS[generation];
  return (units * (doubles ? 128 : 64) * 2 * megahertz) / 1e6;
}
