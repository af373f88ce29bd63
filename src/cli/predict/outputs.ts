import { stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { ensureWritableFile, writeFileAtomic } from "../../node/files/files.ts";
import { markOutput } from "../../node/files/folder_listing.ts";
import { LineFile } from "../../node/files/line_file.ts";
import type { Lock } from "../../node/files/lock.ts";
import { isWrittenThrough } from "../../node/files/targets.ts";
import { say } from "../terminal/say.ts";
import { claimShown } from "../terminal/shown_outputs.ts";
import { PICTURE_KINDS, type PictureKind, type Result } from "../../node/inspection/result.ts";
import { shortStem } from "../../node/inspection/short_stem.ts";
import { liesIn } from "./image_list.ts";
import { SUBMISSION_FOLDERS } from "./submission.ts";
import { cocoOf, COLUMNS, csvHeader, csvLine, inParts, jsonLine, type Columns, type Row } from "./results.ts";

/** Flags that say where results are written. */
export interface OutputFlags {
  readonly out?: string;
  readonly csv?: string;
  readonly jsonl?: string;
  readonly coco?: string;
  readonly heat?: string;
  readonly masks?: string;
  readonly contours?: string;
  readonly submission?: string;
}

/** Paths of the results; null or absent for those not asked for. */
export interface Outputs {
  readonly csv: string | null;
  readonly jsonl: string | null;
  readonly coco: string | null;
  readonly pictures: ReadonlyMap<PictureKind, string>;
  /** The journal of finished images and their options; null if none is kept. */
  readonly journal: string | null;
}

/** One of several that share the images. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

const nameOf = ({ index, count }: Shard): string => `shard-${index}-of-${count}`;

const STREAMS = /^\/(proc|dev(?!\/shm))\//; // no journal can lie there

/** The folder of `--out` stands for the usual files in it; a shard's tables are made by the merge. */
export function outputsOf(
  { out, csv, jsonl, coco, heat, masks, contours, submission }: OutputFlags,
  shard: Shard | null,
): Outputs {
  const usual = (name: string): string | null => (out === undefined ? null : join(out, name));
  const tables = {
    csv: csv ?? (shard ? null : usual("results.csv")),
    jsonl: jsonl ?? (shard ? null : usual("results.jsonl")),
    coco: coco ?? null,
  };
  const folders: Record<PictureKind, string | null> = {
    heatMap: heat ?? usual("heat"),
    mask: submission === undefined ? (masks ?? null) : join(submission, SUBMISSION_FOLDERS.mask),
    contour: contours ?? null,
    map: submission === undefined ? null : join(submission, SUBMISSION_FOLDERS.map),
  };
  const pictures = new Map(
    PICTURE_KINDS.flatMap((kind) => (folders[kind] === null ? [] : [[kind, folders[kind]] as const])),
  );
  const name = shard ? nameOf(shard) : "predict";
  const beside = [tables.jsonl, tables.csv, tables.coco].find((path) => path !== null && !STREAMS.test(path));
  const [folder] = pictures.values();
  const journal =
    usual(`${name}.journal`) ?? (beside ? `${beside}.journal` : folder ? join(folder, `${name}.journal`) : null);
  return { ...tables, pictures, journal };
}

const LONGEST = 240; // bytes of a name, before what is added to it: file systems take 255

/**
 * Names for pictures of images: the image's own below a folder, as png; numbered where two would be the same, if only
 * to a file system that does not tell upper from lower case; shortened where no file could have that name.
 */
export class PictureNames {
  readonly #root: string;
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  /** @param used names that are taken */
  constructor(root: string, used: Iterable<string> = []) {
    this.#root = root;
    for (const name of used) this.#take(name);
  }

  next(image: string): string {
    const path = relative(this.#root, image)
      .split(sep)
      .filter((part) => part !== "..")
      .join("/");
    const own = extname(path).toLowerCase() === ".png" ? path.slice(0, -4) : path;
    const isShort = own.split("/").every((part) => Buffer.byteLength(part) <= LONGEST);
    const stem = isShort && !foldersAround(own).some((folder) => this.#files.has(folder)) ? own : shortStem(path);
    let name = `${stem}.png`;
    for (let n = 2; this.#files.has(keyOf(name)) || this.#folders.has(keyOf(name)); n++) name = `${stem}-${n}.png`;
    this.#take(name);
    return name;
  }

  #take(name: string): void {
    this.#files.add(keyOf(name));
    for (const folder of foldersAround(name)) this.#folders.add(folder);
  }
}

/** A key that is the same for names that some file system does not distinguish. */
const keyOf = (name: string): string => name.normalize("NFC").toLowerCase();

/** Keys of the folders that a path lies in: "a" and "a/b" of "a/b/c". */
const foldersAround = (path: string): string[] =>
  [...keyOf(path).matchAll(/\//g)].map(({ index, input }) => input.slice(0, index));

interface GrowingTable {
  readonly file: LineFile;
  readonly lineOf: (result: Row) => string;
}

/** Tables of results that grow by whole lines, and the file that can only be written whole. */
export class Tables {
  readonly #outputs: Outputs;
  readonly #growing: readonly GrowingTable[];

  private constructor(outputs: Outputs, growing: readonly GrowingTable[]) {
    this.#outputs = outputs;
    this.#growing = growing;
  }

  /**
   * Begins the tables with the results that there are.
   * @param resultsOf gives them, as often as it is called
   * @param columns of the table of values
   * @throws InputError if one cannot be written
   */
  static async begin(
    outputs: Outputs,
    resultsOf: () => AsyncIterable<Result>,
    columns: Columns = COLUMNS,
  ): Promise<Tables> {
    const kinds = [
      { path: outputs.csv, header: csvHeader(columns), lineOf: (result: Row) => csvLine(result, columns) },
      { path: outputs.jsonl, header: "", lineOf: jsonLine },
    ];
    const growing: GrowingTable[] = [];
    for (const { path, header, lineOf } of kinds) {
      if (path === null) continue;
      const lines = inParts(linesOf(header, resultsOf(), lineOf));
      const isStream = await isWrittenThrough(path);
      if (!isStream) await writeFileAtomic(path, lines);
      const file = await LineFile.open(path);
      if (isStream) for await (const part of lines) await file.append(part);
      growing.push({ file, lineOf });
    }
    return new Tables(outputs, growing);
  }

  /** @throws InputError if a file cannot be written; it has none of these lines then */
  async append(results: readonly Row[]): Promise<void> {
    for (const { file, lineOf } of this.#growing) await file.append(results.map(lineOf).join(""));
  }

  /** Writes the file that is written whole. */
  async writeWhole(resultsOf: () => AsyncIterable<Result>): Promise<void> {
    const { coco } = this.#outputs;
    if (coco === null) return;
    await writeFileAtomic(coco, inParts(cocoOf(resultsOf)));
  }

  async close(): Promise<void> {
    for (const { file } of this.#growing) await file.close();
  }
}

async function* linesOf(
  header: string,
  results: AsyncIterable<Result>,
  lineOf: (result: Result) => string,
): AsyncGenerator<string> {
  yield header;
  for await (const result of results) yield lineOf(result);
}

/** Says which tables of an earlier prediction are there, and replaced by those that are begun. */
export async function remarkOnReplaced({ csv, jsonl, coco }: Outputs): Promise<void> {
  const paths = [csv, jsonl, coco].filter((path) => path !== null);
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => null)));
  const earlier = paths.filter((_, i) => found[i]?.isFile());
  if (earlier.length > 0)
    say(`${earlier.join(", ")} of an earlier prediction ${earlier.length === 1 ? "is" : "are"} replaced`);
}

interface ClaimOptions {
  readonly shard?: Shard | undefined;
  readonly printer?: string | false;
  readonly submission?: string | undefined;
}

/**
 * Makes sure that all of them can be written, before the work and not after it, keeps other processes from them, and
 * marks folders of pictures as bigrid's.
 * @param options `shard`: writes into folders of pictures beside other shards; `printer`: as `claimShown` has it;
 * `submission`: a folder that holds nothing but what belongs there
 * @throws InputError if one cannot be written, or another process has it
 */
export async function claim(
  { csv, jsonl, coco, pictures, journal }: Outputs,
  { shard, printer = false, submission }: ClaimOptions = {},
): Promise<Lock> {
  if (journal !== null) await ensureWritableFile(journal); // which is locked while it is open
  const files = [csv, jsonl, coco].filter((path) => path !== null);
  const claimed = await claimShown(
    { files, folders: [...pictures.values()], ...(shard && { share: nameOf(shard) }) },
    printer,
  );
  for (const folder of new Set(pictures.values())) {
    if (submission !== undefined && liesIn(folder, [submission])) continue;
    if (!(await markOutput(folder)))
      say(
        `${folder} holds other files: pictures written there are taken for photographs later; name a folder of their own`,
      );
  }
  return claimed;
}
