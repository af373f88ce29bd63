interface Field {
  readonly text: string;
  /** The separator after the field: a comma, a line end, or nothing. */
  readonly end: string;
  /** Start of the next field. */
  readonly next: number;
}

/**
 * Records of comma-separated text whose first line names the columns. A quoted field may contain commas, line ends and
 * doubled quotes.
 * @param wanted columns to keep of each record; all by default
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

/** Parses a field in time linear in its length, whatever it contains: no search passes over it twice. */
function fieldAt(text: string, start: number): Field {
  const parts: string[] = [];
  let at = start;
  while (text[at] === '"') {
    const closing = text.indexOf('"', at + 1);
    if (closing < 0) break; // an unclosed quote is an ordinary character
    parts.push(text.slice(at + 1, closing));
    at = closing + 1;
    if (text[at] === '"') parts.push('"');
  }
  const end = /,|\r?\n|$/g;
  end.lastIndex = at;
  const found = end.exec(text)!;
  return { text: parts.join("") + text.slice(at, found.index), end: found[0], next: found.index + found[0].length };
}
