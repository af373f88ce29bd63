import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parseJson, RECORD } from "../io/json.ts";
import type { TuningStore } from "../runtime/tuner.ts";
import { ensureFolder, writeFileAtomic } from "./files/files.ts";
import { readText } from "./files/read.ts";

interface Kept {
  readonly adapter: string;
  readonly choices: Readonly<Record<string, string>>;
}

/** Path of an adapter's measured choices: in XDG_CACHE_HOME, or ~/.cache. */
export function tuningPath(key: string): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "bigrid", "tuning", `${key.replace(/[^A-Za-z0-9.]+/g, "_").slice(0, 200)}.json`);
}

/** Keeps an adapter's choices in a JSON file of the user's cache. What is there and cannot be read is replaced. */
export function tuningFile(key: string): TuningStore {
  const path = tuningPath(key);
  const load = async (): Promise<Kept["choices"]> => {
    const { adapter, choices } = parseJson(await readText(path), RECORD) as Kept;
    return adapter === key ? choices : {};
  };
  return {
    load,
    save: async (choices) => {
      const others = await load().catch(() => ({})); // another process may have saved since
      await ensureFolder(dirname(path));
      await writeFileAtomic(
        path,
        `${JSON.stringify({ adapter: key, choices: { ...others, ...choices } } satisfies Kept, null, 1)}\n`,
      );
    },
  };
}
