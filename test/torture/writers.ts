// Kills while a command starts, and several commands that write one output.
import { execFileSync } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PROGRAM } from "../cli/program.ts";
import { contentsOf, difference, ended, groupOf, killedAfter, pause, require, start, type End } from "./processes.ts";
import type { Torture } from "./torture.ts";

const CONTAINER = ["unshare", "--net", "--uts", "--pid", "--fork", "--kill-child"];

/** True if this system allows a process its own network, host name and process numbers (unshare). */
export const canUnshare = ((): boolean => {
  try {
    execFileSync(CONTAINER[0]!, [...CONTAINER.slice(1), "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

interface Undisturbed {
  readonly words: readonly string[];
  readonly out: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly seconds: number;
}

/** A prediction with pictures and tables, and its output when undisturbed. */
async function prediction(torture: Torture, name: string): Promise<Undisturbed> {
  const out = torture.at(name);
  const words = ["predict", torture.at("first"), torture.at("set", "plate", "test"), "--out", out, "--batch", "1"];
  const began = performance.now();
  await done(words);
  const seconds = (performance.now() - began) / 1000;
  const files = await contentsOf(out);
  await rm(out, { recursive: true });
  return { words, out, files, seconds };
}

async function done(words: readonly string[]): Promise<void> {
  const { code, stderr } = await ended(start([PROGRAM, ...words], [], ["ignore", "ignore", "pipe"]));
  require(code === 0, `exit code ${code}: ${stderr}`);
}

/** Requires exactly the files of an undisturbed run. */
async function requireWhole({ out, files }: Undisturbed): Promise<void> {
  const wrong = difference(await contentsOf(out), files);
  require(wrong === null, wrong!);
}

/**
 * Kills a command's launcher, or its worker process, at random moments from the first instruction on. After each kill
 * no process remains, and tables are a prefix of an undisturbed run's; a last run gives the results of an undisturbed
 * one, without leftovers.
 */
export async function starting(
  torture: Torture,
  kills: number,
): Promise<{ readonly kills: number; readonly launchers: number }> {
  const undisturbed = await prediction(torture, "starting");
  let launchers = 0;
  for (let i = 0; i < kills;) {
    const child = start([PROGRAM, ...undisturbed.words, "--resume"]);
    const end = ended(child);
    await pause(1000 * undisturbed.seconds * torture.draws.unit());
    const [launcher, worker] = await groupOf(child.pid!);
    if (launcher !== undefined) {
      const isLauncher = worker === undefined || torture.draws.chance();
      try {
        process.kill(isLauncher ? launcher : worker, "SIGKILL");
        i++;
        if (isLauncher) launchers++;
      } catch {
        // it ended meanwhile
      }
    }
    await end;
    // an orphan that keeps running blocks this for ever
    while ((await groupOf(child.pid!)).length > 0) await pause(10);
    for (const name of ["results.csv", "results.jsonl"]) {
      const table = await readFile(torture.at("starting", name)).catch(() => null);
      // It grows as images are scored.
      require(!table ||
        undisturbed.files
          .get(name)!
          .subarray(0, table.length)
          .equals(table), `${name} of ${table?.length} bytes is no beginning of that of an undisturbed run`);
    }
  }
  await done([...undisturbed.words, "--resume"]);
  await requireWhole(undisturbed);
  return { kills, launchers };
}

/** True if a lock below a folder has its holder's record. */
async function isLocked(folder: string): Promise<boolean> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const locks = names.filter((name) => /(^|\/)\.bigrid[^/]*\.lock$/.test(name));
  const records = await Promise.all(locks.map((name) => readFile(join(folder, name), "utf8").catch(() => "")));
  return records.some((record) => record !== "");
}

/**
 * Has two commands write one output, in separate namespaces if `contained`. Started at random offsets, one of them
 * wins, or both run in sequence. Started while the first is suspended and holds the output, the second is rejected, and
 * the first then completes with the results of an undisturbed run. After a holder is killed, the next
 * command may write.
 */
export async function writers(
  torture: Torture,
  rounds: number,
  contained: boolean,
): Promise<{ readonly rounds: number; readonly refused: number }> {
  const undisturbed = await prediction(torture, "written");
  const begin = (...more: readonly string[]) =>
    start([PROGRAM, ...undisturbed.words, ...more], contained ? CONTAINER : [], ["ignore", "ignore", "pipe"]);
  const wholeOnce = async (): Promise<void> => {
    await requireWhole(undisturbed);
    await rm(undisturbed.out, { recursive: true });
  };
  let refused = 0;
  // a holder that was suspended between taking a lock and writing its name into it cannot be named
  const refusal = /^bigrid: another bigrid is writing \S+?( \(process \d+ on \S+, since \S+\))?: wait until it ends/m;
  const requireRefused = ({ code, stderr }: End): void => {
    require(code === 1 && refusal.test(stderr), `exit code ${code}: ${stderr}`);
    refused++;
  };
  for (let i = 0; i < rounds; i++) {
    const first = ended(begin());
    await pause(1000 * undisturbed.seconds * torture.draws.unit());
    const ends = await Promise.all([first, ended(begin())]);
    const losers = ends.filter(({ code }) => code !== 0);
    require(losers.length < 2, `neither of two writers has won: ${losers.map(({ stderr }) => stderr).join("")}`);
    losers.forEach(requireRefused);
    await wholeOnce();

    const holder = begin();
    const end = ended(holder);
    while (!(await isLocked(undisturbed.out))) await pause(1);
    process.kill(-holder.pid!, "SIGSTOP");
    requireRefused(await ended(begin()));
    process.kill(-holder.pid!, "SIGCONT");
    const { code, stderr } = await end;
    require(code === 0, `a suspended holder: exit code ${code}: ${stderr}`);
    await wholeOnce();

    await killedAfter(begin(), undisturbed.seconds * torture.draws.unit());
    const next = await ended(begin("--resume"));
    require(next.code === 0, `after a killed holder: exit code ${next.code}: ${next.stderr}`);
    await wholeOnce();
  }
  require((await readdir(torture.at())).every((name) => !name.startsWith(".bigrid")), "a lock or a part is left over");
  return { rounds, refused };
}
