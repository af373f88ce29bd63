/**
 * The records of comma-separated text, its first line the names of the columns. A field in quotes may hold commas, line
 * ends and doubled quotes.
 * @see https://www.rfc-editor.org/rfc/rfc4180
 */
export function parseCsv(text: string): {
  readonly columns: readonly string[];
  readonly records: readonly Readonly<Record<string, string>>[];
} {
  const lines: string[][] = [[]];
  for (const [, quoted, plain, end] of text.replace(/^\uFEFF/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    lines.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === "") break;
    if (end !== ",") lines.push([]);
  }
  const filled = lines.filter((fields) => fields.length > 1 || (fields[0] ?? "") !== "");
  const [columns = [], ...rows] = filled;
  return { columns, records: rows.map((fields) => Object.fromEntries(columns.map((column, i) => [column, fields[i] ?? ""]))) };
}
