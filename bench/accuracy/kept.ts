import { readFile } from "node:fs/promises";
import { ensureWritableFolder, writeFileAtomic } from "../../src/node/files/files.ts";
import { dirname } from "node:path";

/** Figures by what they are of, in a file: each is measured once, also after an interruption. */
export class KeptFigures<Figures> {
  readonly #path: string;
  readonly #known: Record<string, Figures>;

  private constructor(path: string, known: Record<string, Figures>) {
    [this.#path, this.#known] = [path, known];
  }

  static async open<Figures>(path: string): Promise<KeptFigures<Figures>> {
    await ensureWritableFolder(dirname(path));
    const text = await readFile(path, "utf8").catch(() => "{}"); // there is none yet
    return new KeptFigures(path, JSON.parse(text) as Record<string, Figures>);
  }

  /** Those that are known, in the order in which they were measured. */
  get known(): ReadonlyMap<string, Figures> {
    return new Map(Object.entries(this.#known));
  }

  /** Figures that are known, or else are measured now. */
  async of(key: string, measure: () => Promise<Figures>): Promise<Figures> {
    const known = this.#known[key];
    if (known !== undefined) return known;
    const measured = (this.#known[key] = await measure());
    await writeFileAtomic(this.#path, `${JSON.stringify(this.#known, null, 1)}\n`);
    return measured;
  }
}

/** The mean of some shares, and the least and the largest, in percent. */
export function spreadOf(shares: readonly number[]): string {
  const percents = shares.map((share) => 100 * share);
  const mean = percents.reduce((sum, one) => sum + one, 0) / percents.length;
  if (percents.length === 1) return mean.toFixed(1);
  return `${mean.toFixed(1)} (${Math.min(...percents).toFixed(1)} to ${Math.max(...percents).toFixed(1)})`;
}
