import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSha256 } from "../../io/json.ts";
import { Journal, readEntries, readHeader } from "../../node/files/journal.ts";
import { InputError } from "../../runtime/errors.ts";
import { Tables, type Outputs, type Shard } from "./outputs.ts";
import type { Result } from "../../node/inspection/result.ts";
import { isResult } from "./results.ts";

const VERSION = 2; // of the journal

/** By what results were made: those of other settings do not belong to them. */
export interface PredictionSettings {
  /** The model file's SHA-256. */
  readonly model: string;
  readonly half: boolean;
  readonly class: string | null;
  readonly threshold: number;
  readonly pixelThreshold: number;
  readonly minArea: number | null;
  /** A rectangle, or a mask's SHA-256. */
  readonly roi: string | null;
  readonly ignore: string | null;
  readonly pictures: readonly string[];
  /** Number and hash of all images, those of other shards included; null for a watched folder. */
  readonly list: { readonly images: number; readonly sha256: string } | null;
  readonly watch: string | null;
}

interface Header extends PredictionSettings {
  readonly format: "bigrid-predictions";
  readonly version: number;
  readonly shard: Shard | null;
}

interface Done {
  readonly result: Result;
  /** Distinguishes an image from an earlier one of the same name, where names may be reused. */
  readonly identity?: string;
}

type Entry = Done | { readonly end: true };

/** The number of images with each verdict. */
export type Counts = Record<Result["verdict"], number>;

/**
 * The results so far: the journal, which alone says what is done, and the tables that follow from it. An image is done
 * when it is in the journal; the tables get its lines after that, and are made anew from the journal when work goes on.
 */
export class PredictionRecord {
  readonly counts: Counts = { good: 0, defective: 0, unreadable: 0 };
  /** Identities of what is done. */
  readonly identities: string[] = [];
  /** Names of pictures that were written. */
  readonly pictures: string[] = [];
  readonly #journal: Journal<Entry>;
  readonly #temporary: string | null;
  readonly #outputs: Outputs;
  #tables: Tables | null = null;
  #finished = false;

  private constructor(outputs: Outputs, journal: Journal<Entry>, temporary: string | null) {
    this.#outputs = outputs;
    this.#journal = journal;
    this.#temporary = temporary;
  }

  /**
   * @param goOn whether to go on with what the journal holds, rather than to refuse it
   * @throws InputError if the journal holds something and `goOn` is not set, or it is of other settings; if a file
   * cannot be written
   */
  static async open(
    outputs: Outputs,
    settings: PredictionSettings,
    shard: Shard | null,
    goOn: boolean,
  ): Promise<PredictionRecord> {
    const temporary = outputs.journal === null ? await mkdtemp(join(tmpdir(), "bigrid-")) : null;
    const path = outputs.journal ?? join(temporary!, "journal");
    const own: Header = { format: "bigrid-predictions", version: VERSION, ...settings, shard };
    const { journal, header } = await Journal.open<Header, Entry>(path, own);
    const record = new PredictionRecord(outputs, journal, temporary);
    try {
      requireSameHeader(own, header, path);
      for await (const entry of entriesOf(journal.path)) {
        if ("end" in entry) record.#finished = true;
        else record.#note(entry);
      }
      if ((record.done > 0 || record.#finished) && !goOn) {
        const what = record.#finished ? "a finished shard" : `a prediction that was ended after ${record.done} images`;
        throw new InputError(`${path} holds ${what}: --resume continues it; remove it to start again`);
      }
      if (record.done > 0) await record.beginTables();
      return record;
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /** Images that are done. */
  get done(): number {
    return this.counts.good + this.counts.defective + this.counts.unreadable;
  }

  /** All results, in order. */
  results(): AsyncGenerator<Result> {
    return resultsIn(this.#journal.path, this.done); // those of now, also while others come
  }

  /**
   * Begins the tables, if that is not done. Without it they begin with the first result: those of an earlier prediction
   * stay until then.
   * @throws InputError if one cannot be written
   */
  async beginTables(): Promise<Tables> {
    return (this.#tables ??= await Tables.begin(this.#outputs, () => this.results()));
  }

  /** @throws InputError if a file cannot be written; they are done nevertheless if it is no more than a table */
  async append(done: readonly Done[]): Promise<void> {
    const tables = await this.beginTables();
    await this.#journal.append(done);
    for (const entry of done) this.#note(entry);
    await tables.append(done.map(({ result }) => result));
  }

  /** Writes what can only be written whole. */
  async writeWhole(): Promise<void> {
    const { done } = this; // the same ones each time that they are asked for
    const tables = await this.beginTables();
    return tables.writeWhole(() => resultsIn(this.#journal.path, done));
  }

  /** Stops where it stands, to be gone on with. */
  async close(): Promise<void> {
    await this.#tables?.close();
    await this.#journal.close();
    if (this.#temporary) await rm(this.#temporary, { recursive: true, force: true });
  }

  /** Ends with everything done. A shard's journal stays for the merge; any other is of no use any more. */
  async finish(shard: Shard | null): Promise<void> {
    if (shard) {
      if (!this.#finished) await this.#journal.append([{ end: true }]);
      return this.close();
    }
    await this.#tables?.close();
    await this.#journal.remove();
    if (this.#temporary) await rm(this.#temporary, { recursive: true, force: true });
  }

  #note({ result, identity }: Done): void {
    this.counts[result.verdict]++;
    if (identity !== undefined) this.identities.push(identity);
    if (result.verdict !== "unreadable") this.pictures.push(...Object.values(result.pictures));
  }
}

/**
 * The entries of a journal of predictions, in order.
 * @throws InputError if one is something else
 */
async function* entriesOf(path: string): AsyncGenerator<Entry> {
  let number = 1;
  for await (const entry of readEntries<Partial<Record<"result" | "identity" | "end", unknown>>>(path)) {
    number++;
    const { end, result, identity } = entry;
    if (end !== true && !(isResult(result) && (identity === undefined || typeof identity === "string"))) {
      throw new InputError(
        `${path} was changed by another program: line ${number} is no result; move it away to start again`,
      );
    }
    yield entry as Entry;
  }
}

/** The results in a journal, in order, the first `most` of them. */
async function* resultsIn(path: string, most = Infinity): AsyncGenerator<Result> {
  let count = 0;
  for await (const entry of entriesOf(path)) {
    if (count++ === most) return;
    if ("result" in entry) yield entry.result;
  }
}

/** Reads how many images a journal holds, and whether it is finished. */
async function readExtent(path: string): Promise<{ readonly images: number; readonly finished: boolean }> {
  let [images, finished] = [0, false];
  for await (const entry of entriesOf(path)) {
    if ("end" in entry) finished = true;
    else images++;
  }
  return { images, finished };
}

function requireSameHeader(own: Header, found: Header, path: string): void {
  if (found.format !== own.format) throw new InputError(`${path} is no journal of predictions: move it away`);
  if (found.version !== own.version)
    throw new InputError(`${path} is a journal of version ${found.version}; this bigrid reads version ${own.version}`);
  for (const key of Object.keys(own) as (keyof Header)[]) {
    if (JSON.stringify(own[key]) === JSON.stringify(found[key])) continue;
    throw new InputError(
      `${path} was begun ${differenceOf(key, own, found)}: use the same again, name another output, or remove it to start again`,
    );
  }
}

/** Describes how a setting differs: "with ... , not ...". */
function differenceOf(key: keyof Header, own: Header, found: Header): string {
  const hash = (value: string | null): string =>
    value === null ? "none" : isSha256(value) ? `one of SHA-256 ${value.slice(0, 12)}...` : value;
  switch (key) {
    case "list": {
      if (!own.list || !found.list)
        return `${found.list ? "with" : "without"} a list of images, not ${own.list ? "with" : "without"} one`;
      const { images } = found.list;
      return images === own.list.images
        ? `with ${images} images, of which some are others now`
        : `with ${images} images, not with these ${own.list.images}`;
    }
    case "model":
    case "roi":
    case "ignore":
      return `with another ${{ model: "model", roi: "--roi", ignore: "--ignore" }[key]}: ${hash(found[key])}, not ${hash(own[key])}`;
    case "half":
      return `in ${found.half ? "half" : "full"} precision, not in ${own.half ? "half" : "full"} (--half)`;
    case "pictures":
      return `with pictures of the kinds ${String(found.pictures) || "none"}, not ${String(own.pictures) || "none"}`;
    case "shard": {
      const named = (shard: Shard | null, none: string, word = ""): string =>
        shard ? `${word}${shard.index}/${shard.count}` : none;
      return `as ${named(found.shard, "no shard", "shard ")}, not as ${named(own.shard, "none")}`;
    }
    default:
      return `with ${FLAGS[key] ?? key} ${String(found[key] ?? "left out")}, not ${String(own[key] ?? "left out")}`;
  }
}

const FLAGS: Readonly<Partial<Record<keyof Header, string>>> = {
  class: "--class",
  minArea: "--min-area",
  watch: "--watch",
  pixelThreshold: "the threshold for pixels",
  threshold: "the threshold",
};

const MOST_NAMED = 20; // of missing shards

function isShard(value: unknown): value is Shard {
  const { index, count } = (value ?? {}) as Partial<Shard>;
  return Number.isSafeInteger(index) && Number.isSafeInteger(count) && index! >= 1 && index! <= count!;
}

/**
 * Checks that journals are the shards of one prediction: all of them, each once, each finished.
 * @returns their paths in the shards' order
 * @throws InputError if they are not, saying which is wrong
 */
export async function openShards(paths: readonly string[]): Promise<readonly string[]> {
  const headers = await Promise.all(
    paths.map(async (path) => {
      const header = await readHeader<Header>(path);
      if (header?.format !== "bigrid-predictions") throw new InputError(`${path} is no journal of predictions`);
      if (header.shard === null) throw new InputError(`${path} is no shard's journal: it was made without --shard`);
      if (!isShard(header.shard) || !Number.isSafeInteger(header.list?.images)) {
        throw new InputError(`${path} does not say which shard it is: run that shard again`);
      }
      return { path, shard: header.shard, header };
    }),
  );
  const [first] = headers;
  if (!first) throw new InputError("there are no shards to merge");
  const { count } = first.shard;
  const byIndex = new Map<number, string>();
  for (const { path, shard, header } of headers) {
    const twin = byIndex.get(shard.index);
    if (twin !== undefined)
      throw new InputError(`shard ${shard.index} of ${shard.count} is there twice: ${twin} and ${path}`);
    byIndex.set(shard.index, path);
    requireSameHeader({ ...first.header, shard }, header, path);
    if (shard.count !== count)
      throw new InputError(`${path} is one of ${shard.count} shards, ${first.path} one of ${count}`);
    const { images, finished } = await readExtent(path);
    if (!finished)
      throw new InputError(`shard ${shard.index} of ${count} (${path}) is not finished: run it again with --resume`);
    const share = Math.ceil(((header.list?.images ?? 0) - (shard.index - 1)) / count);
    if (images !== Math.max(0, share)) {
      throw new InputError(
        `${path} holds ${images} images, its share is ${share}: remove it and run shard ${shard.index} again`,
      );
    }
  }
  const missing = Array.from({ length: Math.min(count, byIndex.size + MOST_NAMED) }, (_, i) => i + 1).filter(
    (index) => !byIndex.has(index),
  );
  const left = count - byIndex.size;
  if (left > 0)
    throw new InputError(
      `of ${count} shards, ${left === 1 ? "one is" : `${left} are`} missing: ${missing.slice(0, MOST_NAMED).join(", ")}`,
    );
  return Array.from({ length: count }, (_, i) => byIndex.get(i + 1)!);
}

/**
 * The results of all shards, in the order of the whole list: its images are dealt out one by one.
 * @param paths of their journals, as `openShards` returns them
 */
export async function* mergedResults(paths: readonly string[]): AsyncGenerator<Result> {
  const shards = paths.map((path) => resultsIn(path));
  for (let i = 0; ; i = (i + 1) % shards.length) {
    const next = await shards[i]!.next();
    if (next.done) break;
    yield next.value;
  }
  for (const shard of shards) await shard.return(undefined);
}

/** The images of one shard: the list is dealt out one by one. */
export const shareOf = <T>(list: readonly T[], { index, count }: Shard): T[] =>
  list.filter((_, i) => i % count === index - 1);
