import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";

/** Targets of a source's imports and re-exports, of values and types, lazy ones too. */
export const importsOf = (source: string): string[] =>
  [...source.matchAll(/(?:^|\n)(?:import|export)\s(?:[^;]*?from\s+)?"([^"]+)"|import\("([^"]+)"\)/g)].map(
    ([, a, b]) => (a ?? b)!,
  );

/** Files below a folder, in no order. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

/** TypeScript sources below a folder: path -> source. */
export const sourcesBelow = (folder: string): Record<string, string> =>
  Object.fromEntries(
    filesBelow(folder)
      .filter((path) => path.endsWith(".ts"))
      .map((path) => [path, readFileSync(path, "utf8")]),
  );

/** They re-export what lies anywhere below them; every other index.ts keeps its folder's rules. */
export const ENTRIES: readonly string[] = ["src/index.ts", "src/core.ts", "src/node/index.ts", "src/browser/index.ts"];

/** The path that a file's relative import leads to. */
export const resolved = (path: string, target: string): string => posix.join(posix.dirname(path), target);

/** Everybody may import it. */
export const ERRORS = "src/runtime/errors.ts";

/**
 * The folders of src with those that each of them imports, and whether it takes more from these than `ERRORS`. The folder shaders counts as one of them; entries, which re-export everything, do
 * not.
 */
export function roomsOf(sources: Readonly<Record<string, string>>): Map<string, Map<string, "errors" | "more">> {
  const rooms = new Map<string, Map<string, "errors" | "more">>([["shaders", new Map()]]);
  const roomOf = (path: string): string => (path.startsWith("src/") ? path.split("/")[1]! : path.split("/")[0]!);
  for (const [path, source] of Object.entries(sources)) {
    if (ENTRIES.includes(path)) continue;
    const own = roomOf(path);
    const imported = rooms.get(own) ?? new Map<string, "errors" | "more">();
    rooms.set(own, imported);
    for (const target of importsOf(source).filter((target) => target.startsWith("."))) {
      const at = resolved(path, target);
      const room = roomOf(at);
      if (room !== own && imported.get(room) !== "more") imported.set(room, at === ERRORS ? "errors" : "more");
    }
  }
  return rooms;
}
