import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** @throws Error with `what` unless `isRight` */
export function require(isRight: boolean, what: string): asserts isRight {
  if (!isRight) throw new Error(what);
}

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Starts Node with these arguments, as the leader of a process group. @param before a program that starts it, with its
 * own arguments
 */
export function start(
  words: readonly string[],
  before: readonly string[] = [],
  stdio: StdioOptions = "ignore",
): ChildProcess {
  const [program, ...all] = [...before, process.execPath, ...words] as [string, ...string[]];
  return spawn(program, all, { detached: true, stdio });
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for the end of a process and of its streams. */
export function ended(child: ChildProcess): Promise<End> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr?.on("data", (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })));
}

/** Kills a process and its children after a number of seconds. @returns true if it was still running */
export async function killedAfter(child: ChildProcess, seconds: number): Promise<boolean> {
  const end = ended(child);
  let wasThere = true;
  const timer = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), 1000 * seconds);
  child.on("exit", (_code, signal) => {
    wasThere = signal === "SIGKILL";
    clearTimeout(timer);
  });
  await end;
  return wasThere;
}

/** Live processes of a group, the leader first. */
export async function groupOf(leader: number): Promise<number[]> {
  const alive: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(join("/proc", name, "stat"), "utf8").catch(() => null); // it may have ended
    const [state, , group] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    if (Number(group) === leader && state !== "Z") alive.push(Number(name));
  }
  return alive.sort((a, b) => Number(b === leader) - Number(a === leader));
}

/** The bytes of the files below a folder, by path; without journals, which depend on the order of events. */
export async function contentsOf(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith(".journal")) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(path.slice(folder.length + 1), await readFile(path));
  }
  return found;
}

/** Describes how two folders' contents differ; null if they are the same. */
export function difference(found: ReadonlyMap<string, Buffer>, expected: ReadonlyMap<string, Buffer>): string | null {
  for (const [path, bytes] of expected) {
    const own = found.get(path);
    if (!own) return `${path} is missing`;
    if (!own.equals(bytes))
      return `${path} has ${own.length} other bytes than the ${bytes.length} of an undisturbed run`;
  }
  const extra = [...found.keys()].filter((path) => !expected.has(path));
  return extra.length > 0 ? `${extra.join(", ")}: no file of an undisturbed run` : null;
}
