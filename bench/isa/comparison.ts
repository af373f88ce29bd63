import { shareOf } from "../../src/cli/isa/bar.ts";
import type { Row } from "../../src/cli/isa/report.ts";

const SLACK = 0.01; // of shares: less is not worth a flag

// Counts of which more is worse.
const COUNTS = {
  spills: "spills",
  scratch: "bytes of scratch",
  clamps: "clamps",
  divisions: "divisions",
  waits: "waits behind loads",
} as const satisfies Partial<Record<keyof Row, string>>;

/** In what a row is worse than before. */
export function worsenings(before: Row, now: Row): readonly string[] {
  const counts = (Object.entries(COUNTS) as [keyof typeof COUNTS, string][])
    .filter(([name]) => now[name] > before[name])
    .map(([name, text]) => `${text} ${before[name]} -> ${now[name]}`);
  const shares = (
    [
      ["bound", before.bound.share, now.bound.share],
      ...(now.kind === "product" ? [["multiply-adds", shareOf(before), shareOf(now)] as const] : []),
    ] as const
  )
    .filter(([, old, share]) => !(share >= old - SLACK))
    .map(([text, old, share]) => `${text} ${Math.round(100 * old)} % -> ${Math.round(100 * share)} %`);
  const waves = now.waves < before.waves ? [`waves ${before.waves} -> ${now.waves}`] : [];
  return [...shares, ...counts, ...waves];
}

/** A comparison with an earlier report's rows. */
export interface Compared {
  readonly lines: readonly string[];
  readonly worse: number;
}

/** @param isPart true if only some rows were compiled now, so that none is missing */
export function compare(before: readonly Row[], now: readonly Row[], isPart: boolean): Compared {
  const former = new Map(before.map((row) => [row.name, row]));
  const names = new Set(now.map(({ name }) => name));
  let worse = 0;
  const lines = now.flatMap((row) => {
    const old = former.get(row.name);
    if (!old) return [`${row.name}: not there before`];
    const reasons = worsenings(old, row);
    if (reasons.length === 0) return [];
    worse++;
    return [`${row.name}: WORSE, ${reasons.join("; ")}`];
  });
  const gone = isPart ? [] : before.filter(({ name }) => !names.has(name)).map(({ name }) => `${name}: not there now`);
  return { lines: [...lines, ...gone, `${now.length} pipelines compared, ${worse} of them worse`], worse };
}
