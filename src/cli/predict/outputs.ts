import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { ensureWritableFolder, isSpecialFile, removeParts, writeFileAtomic } from "../../node/files.ts";
import { markOutput } from "../../node/folder_listing.ts";
import { LineFile } from "../../node/line_file.ts";
import { say } from "../output.ts";
import { cocoOf, csvLine, CSV_HEADER, inParts, jsonLine, PICTURE_KINDS, type PictureKind, type Result } from "./results.ts";

/** What the command line says about where results go. */
export interface OutputFlags {
  readonly out?: string;
  readonly csv?: string;
  readonly jsonl?: string;
  readonly coco?: string;
  readonly heat?: string;
  readonly masks?: string;
  readonly contours?: string;
}

/** Where results go; what is not asked for is left out. */
export interface Outputs {
  readonly csv: string | null;
  readonly jsonl: string | null;
  readonly coco: string | null;
  readonly pictures: ReadonlyMap<PictureKind, string>;
  /** What was done so far, and by which options; null if nothing is kept. */
  readonly journal: string | null;
}

/** One of several that share the images. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** The folder of `--out` stands for the usual files in it; a shard's tables are made by the merge. */
export function outputsOf({ out, csv, jsonl, coco, heat, masks, contours }: OutputFlags, shard: Shard | null): Outputs {
  const usual = (name: string): string | null => (out === undefined ? null : join(out, name));
  const tables = { csv: csv ?? (shard ? null : usual("results.csv")), jsonl: jsonl ?? (shard ? null : usual("results.jsonl")), coco: coco ?? null };
  const folders: Record<PictureKind, string | null> = { heatMap: heat ?? usual("heat"), mask: masks ?? null, contour: contours ?? null };
  const pictures = new Map(PICTURE_KINDS.flatMap((kind) => (folders[kind] === null ? [] : [[kind, folders[kind]] as const])));
  const name = shard ? `shard-${shard.index}-of-${shard.count}` : "predict";
  const beside = [tables.jsonl, tables.csv, tables.coco].find((path) => path !== null && !path.startsWith("/dev/"));
  const [folder] = pictures.values();
  const journal = usual(`${name}.journal`) ?? (beside ? `${beside}.journal` : folder ? join(folder, `${name}.journal`) : null);
  return { ...tables, pictures, journal };
}

/** Names for pictures of images: the image's own below a folder, as png, numbered where two would be the same. */
export class PictureNames {
  readonly #root: string;
  readonly #used: Set<string>;

  /** @param used names that are taken */
  constructor(root: string, used: Iterable<string> = []) {
    this.#root = root;
    this.#used = new Set(used);
  }

  next(image: string): string {
    const path = relative(this.#root, image).split(sep).filter((part) => part !== "..").join("/");
    const stem = extname(path).toLowerCase() === ".png" ? path.slice(0, -4) : path;
    let name = `${stem}.png`;
    for (let n = 2; this.#used.has(name); n++) name = `${stem}-${n}.png`;
    this.#used.add(name);
    return name;
  }
}

interface GrowingTable {
  readonly file: LineFile;
  readonly lineOf: (result: Result) => string;
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
   * @throws InputError if one cannot be written
   */
  static async begin(outputs: Outputs, resultsOf: () => AsyncIterable<Result>): Promise<Tables> {
    const kinds = [
      { path: outputs.csv, header: CSV_HEADER, lineOf: csvLine },
      { path: outputs.jsonl, header: "", lineOf: jsonLine },
    ];
    const growing: GrowingTable[] = [];
    for (const { path, header, lineOf } of kinds) {
      if (path === null) continue;
      const lines = inParts(linesOf(header, resultsOf(), lineOf));
      const isSpecial = await isSpecialFile(path);
      if (!isSpecial) await writeFileAtomic(path, lines);
      const file = await LineFile.open(path);
      if (isSpecial) for await (const part of lines) await file.append(part);
      growing.push({ file, lineOf });
    }
    return new Tables(outputs, growing);
  }

  /** @throws InputError if a file cannot be written; it has none of these lines then */
  async append(results: readonly Result[]): Promise<void> {
    for (const { file, lineOf } of this.#growing) await file.append(results.map(lineOf).join(""));
  }

  /** Writes the file that is written whole. */
  async writeWhole(resultsOf: () => AsyncIterable<Result>): Promise<void> {
    const { coco } = this.#outputs;
    if (coco === null) return;
    const text = inParts(cocoOf(resultsOf));
    if (!(await isSpecialFile(coco))) return writeFileAtomic(coco, text);
    const file = await LineFile.open(coco);
    for await (const part of text) await file.append(part);
    await file.close();
  }

  async close(): Promise<void> {
    for (const { file } of this.#growing) await file.close();
  }
}

async function* linesOf(header: string, results: AsyncIterable<Result>, lineOf: (result: Result) => string): AsyncGenerator<string> {
  yield header;
  for await (const result of results) yield lineOf(result);
}

/** The folders that files are written into. */
const foldersOf = ({ csv, jsonl, coco, pictures, journal }: Outputs): string[] => {
  const files = [csv, jsonl, coco, journal].filter((path) => path !== null && !path.startsWith("/dev/")) as string[];
  return [...new Set([...files.map(dirname), ...pictures.values()])];
};

/**
 * Removes what a prediction that was killed left half written.
 * @param written paths of the pictures that are written below their folders; null for any
 */
export async function removeLeftovers({ csv, jsonl, coco, pictures }: Outputs, written: readonly string[] | null): Promise<void> {
  for (const path of [csv, jsonl, coco]) if (path !== null) await removeParts(dirname(path), (own) => resolve(own) === resolve(path));
  for (const folder of pictures.values()) {
    const own = written && new Set(written.map((picture) => resolve(folder, picture)));
    await removeParts(folder, (path) => own?.has(resolve(path)) ?? true, true);
  }
}

/** Makes sure that all of them can be written, before the work, and that pictures there are known as bigrid's. */
export async function ensureWritable(outputs: Outputs): Promise<void> {
  for (const folder of foldersOf(outputs)) await ensureWritableFolder(folder);
  for (const folder of new Set(outputs.pictures.values())) {
    if (!(await markOutput(folder))) say(`${folder} holds other files: pictures written there are taken for photographs later; name a folder of their own`);
  }
}
