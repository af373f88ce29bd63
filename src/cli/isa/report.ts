import { boundOf, type Bound } from "./bound.ts";
import type { Card } from "./cards.ts";
import type { Listing, Stats } from "./listing.ts";
import { KINDS, kindOf, shareOf, shortfalls, type Kind } from "./bar.ts";
import type { CompiledPipeline } from "./manifest.ts";
import { measuresOf, type Measures } from "./measures.ts";

/** A pipeline, as reported. */
export interface Row extends Stats, Omit<Measures, "instructions"> {
  readonly name: string;
  readonly kind: Kind;
  /** True if the device takes this form by itself, in one of the rows at least. */
  readonly isDefault: boolean;
  /** A row of the benchmarks that takes the pipeline, and how many there are. */
  readonly use: string;
  readonly uses: number;
  readonly lanes: number;
  /** Operations for each byte, of the use that has most; forms that are only asked for count if there is no other. */
  readonly intensity: number;
  /** Instructions of the hot part. */
  readonly hot: number;
  readonly bound: Bound;
  /** In what the pipeline is not as wanted. */
  readonly short: readonly string[];
}

/** A report, as bench/results/isa.<gpu>.json has it. */
export interface Report {
  readonly gpu: string;
  readonly card: Card;
  readonly driver: string;
  readonly commit: string;
  readonly date: string;
  readonly rows: readonly Row[];
}

export function rowOf(pipeline: CompiledPipeline, { program, stats }: Listing, card: Card): Row {
  const { label, element, uses } = pipeline;
  const taken = uses.filter(({ isForced }) => !isForced);
  const intensity = Math.max(...(taken.length > 0 ? taken : uses).map((use) => use.intensity));
  const { instructions: hot, ...measures } = measuresOf(program);
  const bound = boundOf(program, stats, card, intensity);
  const kind = kindOf(intensity, stats, card);
  return {
    name: label,
    kind,
    isDefault: taken.length > 0,
    use: uses[0]!.row,
    uses: uses.length,
    lanes: program.lanes,
    intensity: Number(intensity.toFixed(1)),
    ...stats,
    hot,
    ...measures,
    bound: { ...bound, share: Number(bound.share.toFixed(3)) },
    short: shortfalls(kind, element, intensity, bound, stats, { ...measures, instructions: hot }),
  };
}

/** Number of pipelines that are as wanted, of those that the device takes by itself. */
export function countsOf(
  rows: readonly Row[],
): Readonly<Record<Kind, { readonly good: number; readonly all: number }>> {
  const of = (kind: Kind) => {
    const taken = rows.filter((row) => row.kind === kind && row.isDefault);
    return { good: taken.filter(({ short }) => short.length === 0).length, all: taken.length };
  };
  return Object.fromEntries(KINDS.map((kind) => [kind, of(kind)])) as ReturnType<typeof countsOf>;
}

/** One row on each line, so that a change of one kernel changes one line. */
export const textOf = ({ rows, ...head }: Report): string =>
  `${JSON.stringify(head).slice(0, -1)}, "rows": [\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]}\n`;

const COLUMNS = [
  ["VGPRs", ({ vgprs }) => vgprs],
  ["SGPRs", ({ sgprs }) => sgprs],
  ["spills", ({ spills }) => spills],
  ["scratch", ({ scratch }) => scratch],
  ["LDS", ({ shared }) => shared],
  ["waves", ({ waves }) => waves],
  ["FMA", ({ multiplies }) => multiplies],
  ["vector", ({ vector }) => vector],
  ["share", (row) => percent(shareOf(row))],
  ["lds/FMA", ({ ldsLoads, multiplies }) => ratio(ldsLoads, multiplies)],
  ["mem/FMA", ({ globalLoads, multiplies }) => ratio(globalLoads, multiplies)],
  [
    "bits",
    ({ widths }) =>
      Object.entries(widths)
        .map(([bits, count]) => `${count}x${bits}`)
        .join(" "),
  ],
  ["clamps", ({ clamps }) => clamps],
  ["div", ({ divisions }) => divisions],
  ["waits", ({ waits }) => waits],
  ["bound", ({ bound }) => percent(bound.share)],
  ["by", ({ bound }) => bound.limit],
] as const satisfies readonly (readonly [string, (row: Row) => string | number])[];

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const ratio = (loads: number, multiplies: number): string => (multiplies > 0 ? (loads / multiplies).toFixed(2) : "");

/** Lines of the table; each ends in a kernel's name, behind "ok", what it falls short of, or "(asked for)". */
export function tableOf(rows: readonly Row[]): readonly string[] {
  const cells = [
    COLUMNS.map(([title]) => title as string),
    ...rows.map((row) => COLUMNS.map(([, of]) => String(of(row)))),
  ];
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells.map((line, at) => {
    const numbers = line.map((cell, i) => cell.padStart(widths[i]!)).join(" ");
    if (at === 0) return `${numbers}  kernel`;
    const { name, isDefault, isLoop, short } = rows[at - 1]!;
    const marks = [...(isDefault ? [] : ["only if asked for"]), ...(isLoop ? [] : ["no loop"])];
    return `${numbers}  ${name}${marks.length > 0 ? ` (${marks.join(", ")})` : ""}: ${short.join("; ") || "as wanted"}`;
  });
}

/** Lines that say how many are as wanted. */
export const summaryOf = (rows: readonly Row[]): readonly string[] =>
  Object.entries(countsOf(rows)).map(
    ([kind, { good, all }]) => `${kind}: ${good} of ${all} pipelines that the device takes by itself are as wanted`,
  );
