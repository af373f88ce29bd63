// Locks of outputs: one holder at a time, in whatever process, container or state; and what a dead one leaves.
import { spawn, type ChildProcess } from "node:child_process";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { build } from "vite";
import { afterEach, describe, expect, test, vi } from "vitest";
import { claimOutputs } from "../../src/node/files/claim.ts";
import { writeFileAtomic } from "../../src/node/files/files.ts";
import { LineFile } from "../../src/node/files/line_file.ts";
import { lockFile, lockFolder } from "../../src/node/files/lock.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

/** A program that takes the lock of the file that it is given, says so, begins a file beside it, and waits. */
const HOLDER = at("holder.mjs");
const SOURCE = new URL("../../src/node/files/", import.meta.url).pathname;
await writeFile(
  at("entry.ts"),
  `
import { writeFileAtomic } from "${SOURCE}files.ts";
import { lockFile } from "${SOURCE}lock.ts";
const path = process.argv[2]!;
try {
  await lockFile(path);
  process.stdout.write("held\\n");
} catch (error) {
  process.stdout.write(\`\${(error as Error).message}\\n\`);
  process.exit(1);
}
process.on("SIGUSR2", () => void writeFileAtomic(path, "mine").then(() => process.stdout.write("written\\n"), (error: Error) => process.stdout.write(\`\${error.message}\\n\`)));
async function* slowly() {
  yield "half";
  await new Promise((resolve) => setTimeout(resolve, 1e9));
}
void writeFileAtomic(path, slowly());
`,
);
await build({
  configFile: false,
  logLevel: "silent",
  root: folder,
  build: {
    ssr: at("entry.ts"),
    target: "node20",
    outDir: folder,
    emptyOutDir: false,
    rolldownOptions: { output: { entryFileNames: "holder.mjs" } },
  },
});

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** Starts a holder, and waits for its first line. */
async function hold(path: string, before: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const [program, ...words] = [...before, process.execPath, HOLDER, path];
  const child = spawn(program, words, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  const lines: string[] = [];
  child.stdout.on("data", (data: Buffer) => lines.push(...data.toString().trimEnd().split("\n")));
  const line = async (n: number): Promise<string> => {
    while (lines.length <= n) await pause(10);
    return lines[n]!;
  };
  return { child, first: await line(0), line };
}
const ended = (child: ChildProcess) =>
  new Promise((resolve) =>
    (child.exitCode ?? child.signalCode) === null ? child.once("exit", resolve) : resolve(null),
  );
const refusal = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => "it was done",
    (error: Error) => error.message,
  );
const hidden = async (path: string) => (await readdir(path)).filter((name) => name.startsWith(".bigrid"));

const canUnshare = ((): boolean => {
  try {
    execFileSync("unshare", ["--net", "--uts", "--pid", "--fork", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe("a lock", () => {
  test("has one holder, who is named with what to do; released, it leaves nothing", async () => {
    await mkdir(at("one"));
    const lock = await lockFile(at("one", "a.csv"));
    expect((await stat(at("one", (await hidden(at("one")))[0]!))).mode & 0o777).toBe(0o600);
    const { first } = await hold(at("one", "a.csv"));
    expect(first).toMatch(
      new RegExp(
        `^another bigrid is writing ${at("one", "a.csv")} \\(process ${process.pid} on \\S+, since \\S+\\): wait until it ends, end it, or name another output$`,
      ),
    );
    await using other = await lockFile(at("one", "b.csv"));
    await other.release();
    await lock.release();
    expect(await readdir(at("one"))).toEqual([]);
  });

  test("has a record of one length: a reader of one that grows would see a part of it", async () => {
    await mkdir(at("length"));
    await using _lock = await lockFile(at("length", "a.csv"));
    const path = at("length", (await hidden(at("length")))[0]!);
    const first = await readFile(path, "utf8");
    while ((await readFile(path, "utf8")) === first) await pause(50); // its next beat
    expect([first.length, (await readFile(path)).length]).toEqual([512, 512]);
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ pid: process.pid, beat: 1 });
  });

  test.each([
    ["of this system", {}],
    ["where the system has no locks", { PATH: "/nowhere" }],
  ] as const)(
    "%s outlives no kill: the next has it, and removes what the dead one began, and nothing else",
    async (kind, env) => {
      const place = at(`kill ${kind}`);
      await mkdir(place);
      const others = [".bigrid-0123456789abcdef-0.part", "a.csv.12-0.part", "b.part"];
      for (const name of others) await writeFile(join(place, name), "of others");
      const { child, first } = await hold(join(place, "a.csv"), [], env);
      expect(first).toBe("held");
      while ((await readdir(place)).length < others.length + 2) await pause(10); // its lock, and its part
      child.kill("SIGKILL");
      await ended(child);
      const lock = await lockFile(join(place, "a.csv"));
      expect((await readdir(place)).filter((name) => name.endsWith(".part")).sort()).toEqual([...others].sort());
      await lock.release();
      expect((await readdir(place)).sort()).toEqual([...others].sort());
    },
  );

  test("where the system has no locks, a living holder is known by its record that changes", async () => {
    await mkdir(at("beats"));
    const path = process.env["PATH"];
    vi.stubEnv("PATH", "/nowhere");
    const lock = await lockFile(at("beats", "a"));
    vi.stubEnv("PATH", path);
    const { first } = await hold(at("beats", "a"), [], { PATH: "/nowhere" });
    expect(first).toMatch(/^another bigrid is writing /);
    await lock.release();
  });

  test.skipIf(!canUnshare)(
    "reaches into another container: other networks, process numbers and host names",
    async () => {
      await mkdir(at("container"));
      const container = ["unshare", "--net", "--uts", "--pid", "--fork", "--kill-child"];
      const { first, child } = await hold(at("container", "a"), container);
      expect(first).toBe("held");
      expect(await refusal(lockFile(at("container", "a")))).toMatch(/^another bigrid is writing \S+ \(process 1 on /);
      child.kill("SIGKILL");
      await ended(child);
      await (await lockFile(at("container", "a"))).release();
    },
  );

  test("of a suspended holder holds", async () => {
    await mkdir(at("stopped"));
    const { child } = await hold(at("stopped", "a"));
    child.kill("SIGSTOP");
    expect(await refusal(lockFile(at("stopped", "a")))).toContain(`process ${child.pid} `);
  });

  test("that was lost is noticed before anything is written", async () => {
    await mkdir(at("lost"));
    const lock = await lockFile(at("lost", "a"));
    const lines = await LineFile.open(at("lost", "lines"));
    const [name] = await hidden(at("lost"));
    const record = JSON.parse(await readFile(at("lost", name!), "utf8")) as object;
    await writeFile(at("lost", name!), JSON.stringify({ ...record, id: "another", pid: 7, host: "elsewhere" }));
    const lost =
      /^another bigrid took \S+a over \(process 7 on elsewhere, since \S+\) while this one was suspended or out of reach: nothing more is written; /;
    expect(await refusal(writeFileAtomic(at("lost", "b"), "text"))).toMatch(lost);
    expect(await refusal(lines.append("line\n"))).toMatch(lost);
    await rm(at("lost", name!));
    expect(await refusal(writeFileAtomic(at("lost", "b"), "text"))).toContain("was removed or changed");
    await lines.close();
    await lock.release();
    expect(await readdir(at("lost"))).toEqual(["lines"]);
  });

  test("is the same through links, to the file and to its folder; devices are free to all", async () => {
    await mkdir(at("real"));
    await symlink(at("real"), at("linked"));
    await symlink(at("real", "a"), at("direct"));
    const lock = await lockFile(at("linked", "a"));
    for (const path of [at("real", "a"), at("direct")])
      expect((await hold(path)).first).toContain(`another bigrid is writing ${path}`);
    await lock.release();
    await using _one = await lockFile("/dev/null");
    await using _two = await lockFile("/dev/null");
  });

  test("of a name as long as names can be is possible, and of a folder leaves room for shares of it", async () => {
    await (await lockFile(at("n".repeat(255)))).release();
    const shares = [await lockFolder(folder, "shard-1-of-2"), await lockFolder(folder, "shard-2-of-2")];
    expect(await refusal(lockFolder(folder, "shard-1-of-2"))).toContain("another bigrid");
    for (const share of shares) await share.release();
  });
});

describe("outputs", () => {
  test("are claimed all or none, and each once", async () => {
    await mkdir(at("all"));
    const held = await lockFile(at("all", "b"));
    expect(await refusal(claimOutputs({ files: [at("all", "a"), at("all", "b")] }))).toContain("another bigrid");
    await held.release();
    expect(await readdir(at("all"))).toEqual([]);
    await symlink("a", at("all", "link"));
    expect(await refusal(claimOutputs({ files: [at("all", "a"), at("all", "link")] }))).toBe(
      `${at("all", "a")} and ${at("all", "link")} are one place for two outputs: name another for one of them`,
    );
  });
});
