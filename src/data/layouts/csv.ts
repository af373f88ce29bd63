interface Field {
  readonly text: string;
  /** What follows it: a comma, a line's end, or nothing. */
  readonly end: string;
  /** Where the next one begins. */
  readonly next: number;
}

/**
 * The records of comma-separated text, its first line the names of the columns. A field in quotes may hold commas, line
 * ends and doubled quotes.
 * @param wanted columns that are kept of each record; all by default
 * @see https://www.rfc-editor.org/rfc/rfc4180
 */
export function parseCsv(
  text: string,
  wanted: readonly string[] | null = null,
): {
  readonly columns: readonly string[];
  readonly records: readonly Readonly<Record<string, string>>[];
} {
  const lines: string[][] = [[]];
  for (let at = text.startsWith("\uFEFF") ? 1 : 0; ;) {
    const { text: field, end, next } = fieldAt(text, at);
    lines.at(-1)!.push(field);
    if (end === "") break;
    if (end !== ",") lines.push([]);
    at = next;
  }
  const filled = lines.filter((fields) => fields.length > 1 || (fields[0] ?? "") !== "");
  const [columns = [], ...rows] = filled;
  const kept = [...new Map(columns.map((column, i) => [column, i]))].filter(
    ([column]) => wanted?.includes(column) ?? true,
  );
  return {
    columns,
    records: rows.map((fields) => Object.fromEntries(kept.map(([column, i]) => [column, fields[i] ?? ""]))),
  };
}

/** In time that grows with the field alone, whatever is in it: no search goes over it twice. */
function fieldAt(text: string, start: number): Field {
  const parts: string[] = [];
  let at = start;
  while (text[at] === '"') {
    const closing = text.indexOf('"', at + 1);
    if (closing < 0) break; // a quote that is never closed is a letter like others
    parts.push(text.slice(at + 1, closing));
    at = closing + 1;
    if (text[at] === '"') parts.push('"');
  }
  const end = /,|\r?\n|$/g;
  end.lastIndex = at;
  const found = end.exec(text)!;
  return { text: parts.join("") + text.slice(at, found.index), end: found[0], next: found.index + found[0].length };
}
