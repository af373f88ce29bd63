import { isAbsolute, join, relative, sep } from "node:path";
import { stringify } from "csv-stringify/sync";
import type { Defect } from "../../detection/defects.ts";
import { commonFolder } from "./image_list.ts";
import { PICTURE_KINDS, type Inspected, type Result } from "../../node/inspection/result.ts";

/** True if a value, such as a line of a journal, is a complete result. */
export function isResult(value: unknown): value is Result {
  const found = (value ?? {}) as Partial<Record<keyof Inspected | "reason", unknown>>;
  const { image, verdict, reason, score, calibrated, peak, width, height, defects, pictures } = found;
  if (typeof image !== "string") return false;
  if (verdict === "unreadable") return typeof reason === "string";
  if (verdict !== "good" && verdict !== "defective") return false;
  const areTexts =
    typeof pictures === "object" &&
    pictures !== null &&
    Object.values(pictures).every((path) => typeof path === "string");
  return (
    areTexts &&
    areNumbers([score, calibrated, peak, width, height]) &&
    Array.isArray(defects) &&
    defects.every(isDefect)
  );
}

function isDefect(value: unknown): boolean {
  const { bbox, area, peak, runs } = (value ?? {}) as Partial<Record<keyof Defect, unknown>>;
  return areNumbers(bbox) && bbox.length === 4 && areNumbers(runs) && areNumbers([area, peak]);
}

const areNumbers = (values: unknown): values is readonly number[] =>
  Array.isArray(values) && values.every((value) => Number.isFinite(value));

const areaOf = ({ defects }: Inspected): number => defects.reduce((sum, { area }) => sum + area, 0);

/** Columns of a table of images. */
export const COLUMNS = [
  "image",
  "verdict",
  "calibrated",
  "score",
  "peak",
  "width",
  "height",
  "defects",
  "area",
  ...PICTURE_KINDS,
  "reason",
] as const;

const SEPARATOR = /[\t\r\n;]/; // of cells or lines, to one spreadsheet or another: a text with one is quoted

/** Columns of a table of frames. */
export const FRAME_COLUMNS = ["frame", "time", ...COLUMNS] as const;

/** A result, with the frame's number and time where it is one's. */
export type Row = Result & { readonly frame?: number; readonly time?: string };

/** The names of a table's columns. */
export type Columns = readonly (typeof FRAME_COLUMNS)[number][];

export const csvHeader = (columns: Columns): string => `${columns.join(",")}\n`;

// What a spreadsheet takes for the beginning of a formula, and what it may pass over before that; apostrophes among it,
// so that each cell has one text that it comes from.
const FORMULA = /^[\s\p{Cc}\p{Cf}'"\u2018\u2019\u201c\u201d]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u;

/**
 * A text that no spreadsheet computes: one that could be a formula has an apostrophe before it, to be taken away when
 * it is read back.
 */
const cellOf = (text: string): string => (FORMULA.test(text) ? `'${text}` : text);

/**
 * A line of comma-separated values, or several if a name holds line ends. Texts are no formulas; numbers stay as they
 * are.
 */
export function csvLine(result: Row, columns: Columns = COLUMNS): string {
  const row: Readonly<Partial<Record<(typeof FRAME_COLUMNS)[number], string | number>>> =
    result.verdict === "unreadable"
      ? result
      : { ...result, ...result.pictures, defects: result.defects.length, area: areaOf(result) };
  const cells = columns
    .map((column) => row[column] ?? "")
    .map((value) => (typeof value === "string" ? cellOf(value) : value));
  return stringify([cells], { quoted_match: SEPARATOR });
}

/** An image's result as it stands in JSON lines and in `--json`. */
function plainResult(result: Row): object {
  if (result.verdict === "unreadable") return result;
  const { pictures, defects, ...rest } = result;
  return {
    ...rest,
    area: areaOf(result),
    defects: defects.map(({ runs: _onlyForMasks, ...defect }) => defect),
    ...pictures,
  };
}

export const jsonLine = (result: Row): string => `${JSON.stringify(plainResult(result))}\n`;

/**
 * The results as a COCO file, in parts. Images are numbered from 1 in their order, defects too; images that could not
 * be inspected are left out. Absolute paths are told from the folder that all of those have in common: as COCO has it,
 * and because datasets are handed on. A segmentation is uncompressed RLE, as pycocotools reads it.
 * @param resultsOf gives all results, as often as it is called
 */
export async function* cocoOf(resultsOf: () => AsyncIterable<Result>): AsyncGenerator<string> {
  const folder = await findCommonFolder(resultsOf());
  const nameOf = (image: string): string => (isAbsolute(image) ? relative(folder, image).split(sep).join("/") : image);
  yield '{"info":{"description":"bigrid predict"},"categories":[{"id":1,"name":"defect","supercategory":"defect"}],"images":[';
  yield* listed(resultsOf, ({ image, width, height, score, calibrated, verdict }, id) => [
    { id, file_name: nameOf(image), width, height, score, calibrated, verdict },
  ]);
  yield '],"annotations":[';
  let id = 0;
  yield* listed(resultsOf, ({ defects, width, height }, imageId) =>
    defects.map(({ bbox, area, peak, runs }) => ({
      id: ++id,
      image_id: imageId,
      category_id: 1,
      bbox,
      area,
      score: peak,
      iscrowd: 0,
      segmentation: { size: [height, width], counts: runs },
    })),
  );
  yield "]}\n";
}

/** The folder that all images with absolute paths have in common. */
async function findCommonFolder(results: AsyncIterable<Result>): Promise<string> {
  let folder: string | null = null;
  for await (const { image } of results) {
    if (isAbsolute(image)) folder = commonFolder(folder === null ? [image] : [image, join(folder, "any")]);
  }
  return folder ?? sep;
}

/**
 * `--json`'s one object, in parts.
 * @param resultsOf gives all results, as often as it is called
 */
export async function* jsonOf(
  threshold: number,
  pixelThreshold: number,
  resultsOf: () => AsyncIterable<Result>,
): AsyncGenerator<string> {
  yield `{"threshold":${threshold},"pixelThreshold":${pixelThreshold},"images":[`;
  yield* listed(resultsOf, (inspected) => [plainResult(inspected)]);
  let comma = "";
  yield '],"skipped":[';
  for await (const result of resultsOf()) {
    if (result.verdict !== "unreadable") continue;
    yield comma + JSON.stringify({ image: result.image, reason: result.reason });
    comma = ",";
  }
  yield "]}\n";
}

/** The members of a JSON list, made from each inspected image and its number, from 1. */
async function* listed(
  resultsOf: () => AsyncIterable<Result>,
  membersOf: (inspected: Inspected, number: number) => readonly object[],
): AsyncGenerator<string> {
  let number = 0;
  let comma = "";
  for await (const result of resultsOf()) {
    if (result.verdict === "unreadable") continue;
    for (const member of membersOf(result, ++number)) {
      yield comma + JSON.stringify(member);
      comma = ",\n";
    }
  }
}

const PART = 1 << 16; // characters

/** The same text in larger parts: each is a call of the system. */
export async function* inParts(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let part = "";
  for await (const text of texts) {
    part += text;
    if (part.length < PART) continue;
    yield part;
    part = "";
  }
  if (part !== "") yield part;
}
