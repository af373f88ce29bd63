// What a roofline plot shows: measured rows as points of operations for each byte and of a rate, below the roofs.
import type { Roofs } from "../../src/kernels/roofs.ts";

/** A measured row. */
export interface Rate {
  /** A kernel with its entry point and form, or a kind of work. */
  readonly kernel: string;
  /** The shapes. */
  readonly what: string;
  readonly milliseconds: number;
  readonly gigabytes: number;
  readonly gigaflops: number;
  /** For work of several dispatches: the time that these would take at the roofs that limit them, as a share of its own. */
  readonly share?: number;
  /** Times without a device's checks, where they were measured. */
  readonly unchecked?: { readonly milliseconds: number };
}

/** A row's place in the plot. */
export interface Point {
  readonly rate: Rate;
  readonly group: Group;
  /** Operations for each byte; for rows that count no operations a place in the band at the left. */
  readonly x: number;
  /** GFLOP/s; in the band what its bytes would be there, so that its distance to the memory roof is true. */
  readonly y: number;
  /** Share of the roof that limits it, or of those that limit its dispatches. */
  readonly share: number;
}

/** Kinds of rows, in the order of their colours. */
export const GROUPS = [
  "products and convolutions",
  "windows and samples",
  "norms and activations",
  "sums and losses",
  "whole steps and inferences",
  "others",
] as const;
export type Group = (typeof GROUPS)[number];

const GROUP_OF: Readonly<Record<string, Group>> = Object.fromEntries(
  (
    [
      [
        "products and convolutions",
        "matmul tiled_product subgroup_product conv2d winograd nearest_rows farthest_point",
      ],
      ["windows and samples", "depthwise_conv2d gaussian_blur pool resize image grid_sample"],
      ["norms and activations", "batch_norm layer_norm softmax activation elementwise dropout"],
      ["sums and losses", "reduce row_products hinge_loss mse_loss reconstruction_loss top_k_mean scan histogram"],
      ["whole steps and inferences", "training inference"],
    ] as const
  ).flatMap(([group, shaders]) => shaders.split(" ").map((shader) => [shader, group] as const)),
);

export const groupOf = (kernel: string): Group => GROUP_OF[/^\w+/.exec(kernel)?.[0] ?? ""] ?? "others";

/** Share of the roof that limits a row; above 1 where caches are faster than memory. */
export const shareOf = ({ gigabytes, gigaflops }: Pick<Rate, "gigabytes" | "gigaflops">, roofs: Roofs): number =>
  Number(Math.max(gigabytes / roofs.gigabytes, gigaflops / roofs.gigaflops).toPrecision(3));

/** Operations for each byte above which arithmetic is the limit. */
export const ridgeOf = ({ gigaflops, gigabytes }: Roofs): number => gigaflops / gigabytes;

/** Highest rate at an intensity, in GFLOP/s. */
export const roofAt = (intensity: number, { gigaflops, gigabytes }: Roofs): number =>
  Math.min(gigaflops, gigabytes * intensity);

/** A plot: its points, and its extent. */
export interface Roofline {
  readonly roofs: Roofs;
  readonly points: readonly Point[];
  readonly x: readonly [low: number, high: number];
  readonly y: readonly [low: number, high: number];
  /** The right end of the band at the left, in which no operations are counted; null if there is none. */
  readonly band: number | null;
}

const BAND = 4; // ratio of the band's ends
const MARGIN = 1.5; // ratio between an outermost point, or a roof, and the plot's end

const tenBelow = (x: number): number => 10 ** Math.floor(Math.log10(x) + 1e-9);

/** @param rates of at least one row; a rate is above 0, or the row counts no operations */
export function rooflineOf(rates: readonly Rate[], roofs: Roofs): Roofline {
  const ridge = ridgeOf(roofs);
  const intensities = rates.filter(({ gigaflops }) => gigaflops > 0).map((rate) => rate.gigaflops / rate.gigabytes);
  const still = rates.filter(({ gigaflops }) => gigaflops === 0);
  const left = tenBelow(Math.min(ridge / MARGIN, ...intensities));
  const low = still.length > 0 ? left / BAND : left;
  const bytes = still.map(({ gigabytes, milliseconds }) => gigabytes * milliseconds);
  const places = [...bytes].sort((a, b) => a - b);
  const points = rates.map((rate): Point => {
    const { gigabytes, gigaflops, milliseconds, kernel } = rate;
    // Spread over the band by size.
    const rank = (places.indexOf(gigabytes * milliseconds) + 0.5) / places.length;
    const x = gigaflops > 0 ? gigaflops / gigabytes : low * BAND ** rank;
    return {
      rate,
      group: groupOf(kernel),
      x,
      y: gigaflops > 0 ? gigaflops : x * gigabytes,
      share: rate.share ?? shareOf(rate, roofs),
    };
  });
  const heights = points.map(({ y }) => y);
  return {
    roofs,
    points,
    x: [low, MARGIN * Math.max(MARGIN * ridge, ...intensities)],
    y: [tenBelow(Math.min(roofAt(low, roofs), ...heights) / MARGIN), MARGIN * Math.max(roofs.gigaflops, ...heights)],
    band: still.length > 0 ? left : null,
  };
}

/** A number as people read it: "0.01", "3.1", "470", "31,000". */
export const figure = (x: number): string =>
  Number(x.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });

/** Describes a point in lines: kernel and form, shapes, rates, share of its roof. */
export function wordsOf({ rate, share, x }: Point, roofs: Roofs): readonly string[] {
  const { kernel, what, milliseconds, gigabytes, gigaflops, unchecked } = rate;
  const limit = (gigaflops > 0 ? x : 0) < ridgeOf(roofs) ? "memory" : "arithmetic";
  const roof = rate.share === undefined ? `the roof of ${limit}` : "its dispatches' roofs";
  const operations = gigaflops > 0 ? `${figure(gigaflops)} GFLOP/s, ${figure(x)} operations a byte, ` : "";
  return [
    kernel,
    what,
    `${figure(milliseconds)} ms: ${operations}${figure(gigabytes)} GB/s`,
    `${figure(100 * share)} % of ${roof}`,
    ...(unchecked ? [`${figure(unchecked.milliseconds)} ms without checks`] : []),
  ];
}
