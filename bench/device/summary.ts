// The training steps side by side: with fixed forms, with measured ones, and by PyTorch without and with TF32.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { options, writeResult } from "./options.ts";

interface Timed {
  readonly least: number;
  readonly median: number;
}
interface Rows<T> {
  readonly rows: readonly (T & { readonly name: string })[];
}
type Peer = Readonly<Partial<Record<"f32" | "tf32", Timed>>>;

/** The rows of a result by name; none if that program did not run. */
function rowsOf<T>(name: string): ReadonlyMap<string, T> {
  const path = join(options.out, `${name}.json`);
  const rows = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Rows<T>).rows : [];
  return new Map(rows.map((row) => [row.name, row]));
}

const [fixed, tuned, torch] = [rowsOf<Timed>("training"), rowsOf<Timed>("training.tuned"), rowsOf<Peer>("torch")];
const names = [...new Set([...fixed.keys(), ...tuned.keys(), ...torch.keys()])];
const rows = names.map((name) => ({
  name,
  fixed: fixed.get(name)?.median ?? null,
  tuned: tuned.get(name)?.median ?? null,
  torch: torch.get(name)?.f32?.median ?? null,
  tf32: torch.get(name)?.tf32?.median ?? null,
}));
const COLUMNS = ["fixed", "tuned", "torch", "tf32"] as const;
console.log(`${"median milliseconds of".padEnd(44)}${COLUMNS.map((column) => column.padStart(10)).join("")}`);
for (const row of rows) {
  const cells = COLUMNS.map((column) => (row[column]?.toPrecision(3) ?? "").padStart(10));
  console.log(`${row.name.padEnd(44)}${cells.join("")}`);
}
writeResult("summary", { rows });
process.exit();
