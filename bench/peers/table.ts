// The comparison as Markdown.

/** Result of one library in one row. */
export interface Result {
  /** Times of all runs after the first, until the results are on the host. */
  readonly milliseconds?: { readonly median: number; readonly min: number; readonly runs: number };
  /** Milliseconds of the first call, including compilation. */
  readonly first?: number;
  /** Largest relative error of an output against float64, L2. */
  readonly error?: number;
  readonly deviceBytes?: number | null;
  readonly residentBytes?: number | null;
  /** Reason why there is no time. */
  readonly failed?: string;
}

export interface Row {
  readonly name: string;
  readonly title: string;
  /** For rows of networks. */
  readonly images?: number;
  readonly commit: string;
  readonly date: string;
  /** By library; absent if a library does not support it. */
  readonly results: Readonly<Record<string, Result>>;
}

/** The median. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

const shown = (value: number): string =>
  value >= 100
    ? value.toFixed(0)
    : value
        .toPrecision(3)
        .replace(/(\.\d*?)0+$/, "$1")
        .replace(/\.$/, "");

const isOurs = (library: string): boolean => library.startsWith("bigrid");

/** The shortest time of the libraries that `picks` accepts; other load on the machine can only lengthen a time. */
function fastest(row: Row, picks: (library: string) => boolean): number {
  const times = Object.entries(row.results).flatMap(([library, { milliseconds }]) =>
    milliseconds && picks(library) ? [milliseconds.min] : [],
  );
  return Math.min(...times);
}

/** Speed of our best f32 variant relative to the best peer; null if either has no time. */
export function advantage(row: Row): number | null {
  const [ours, theirs] = [
    fastest(row, (library) => isOurs(library) && !library.endsWith("f16")),
    fastest(row, (library) => !isOurs(library)),
  ];
  return Number.isFinite(ours) && Number.isFinite(theirs) ? theirs / ours : null;
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const factor = (row: Row): string => {
  const times = advantage(row);
  return times === null ? "" : `${times.toFixed(times < 10 ? 2 : 0)}x`;
};

/** Median and shortest time of every row in milliseconds, the fastest in bold. */
export function timesTable(rows: readonly Row[], libraries: readonly string[]): string {
  const lines = rows.map((row) => {
    const best = fastest(row, () => true);
    const cells = libraries.map((library) => {
      const result = row.results[library];
      if (!result) return "";
      if (!result.milliseconds) return "fails";
      const { median, min } = result.milliseconds;
      return `${shown(median)} (${min === best ? `**${shown(min)}**` : shown(min)})`;
    });
    return [row.title, ...cells, factor(row)];
  });
  return table(["milliseconds: median (least)", ...libraries, "best peer / bigrid"], lines);
}

const MEBIBYTE = 2 ** 20;

function memoryOf({ deviceBytes, residentBytes }: Result): string {
  if (deviceBytes) return `${(deviceBytes / MEBIBYTE).toFixed(0)} MiB`;
  return residentBytes ? `(${(residentBytes / MEBIBYTE).toFixed(0)} MiB)` : "?";
}

/** Images per second, by the shortest time, and peak memory of every row of networks. */
export function networksTable(rows: readonly Row[], libraries: readonly string[]): string {
  const lines = rows.map((row) => {
    const best = fastest(row, () => true);
    const cells = libraries.map((library) => {
      const result = row.results[library];
      if (!result) return "";
      if (!result.milliseconds) return "fails";
      const rate = shown((1000 * row.images!) / result.milliseconds.min);
      return `${result.milliseconds.min === best ? `**${rate}**` : rate}, ${memoryOf(result)}`;
    });
    return [row.title, ...cells, factor(row)];
  });
  return table(["images/s, peak memory", ...libraries, "best peer / bigrid"], lines);
}

const [BEGIN, END] = ["<!-- Written by npm run bench:peers -->", "<!-- As far as here -->"];

/**
 * A page with its tables replaced.
 * @throws Error if the page lacks their marks
 */
export function withTables(page: string, tables: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin)
    throw new Error(`the page has no lines ${BEGIN} and ${END}: put them where the tables belong`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${page.slice(end)}`;
}
