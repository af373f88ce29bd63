// Disks that fill up at any write, and standard output that is closed, full, or read in part.
import { execFileSync, spawn } from "node:child_process";
import { mkdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bigrid, PROGRAM, type Outcome } from "../cli/program.ts";
import { contentsOf, difference, ended, require } from "./processes.ts";
import type { Torture } from "./torture.ts";

const DISK_BYTES = 16 << 20;

/** One command on the small disk. */
interface Writing {
  readonly name: string;
  /** The command's arguments, and those of the command that continues it. */
  readonly words: readonly string[];
  readonly again?: readonly string[];
  /** Path on the disk: a file, which exists already, or a folder, which does not. */
  readonly output: string;
  readonly old: string | null;
  /** True for files that must equal those of an undisturbed run. */
  readonly compared: (path: string) => boolean;
}

/** Runs `work` with a small disk mounted at that folder. @returns null if the system does not allow mounting */
export async function onSmallDisk<T>(folder: string, work: () => Promise<T>): Promise<T | null> {
  await mkdir(folder);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return null;
  }
  try {
    return await work();
  } finally {
    execFileSync("umount", [folder]);
  }
}

/**
 * Fills a small disk up to a random rest before a training, a prediction with pictures, an export and an evaluation
 * with its report, in turn. Each must succeed with the bytes of an undisturbed run, or fail with one line, leaving
 * earlier files whole and nothing partial; with free space it then succeeds or continues.
 * @returns null if the system does not allow mounting a disk
 */
export async function fullDisk(
  torture: Torture,
  rounds: number,
): Promise<{ readonly rounds: number; readonly full: number } | null> {
  const disk = torture.at("disk");
  const all = (): boolean => true;
  const [set, run] = [torture.at("set", "plate"), torture.at("first")];
  const page = (path: string): boolean => path !== "report.html"; // it contains its creation time
  const commands: Writing[] = [
    {
      name: "train",
      words: torture.train(join("disk", "run"), "--seed", "0"),
      again: ["--resume"],
      output: "run",
      old: null,
      compared: (path) => path === "run/model.safetensors",
    },
    {
      name: "predict",
      words: ["predict", run, join(set, "test"), "--out", join(disk, "out"), "--masks", join(disk, "out", "masks")],
      again: ["--resume"],
      output: "out",
      old: null,
      compared: all,
    },
    {
      name: "export",
      words: ["export", run, "--out", join(disk, "model.onnx")],
      output: "model.onnx",
      old: "an older export",
      compared: all,
    },
    {
      name: "eval",
      words: ["eval", run, set, "--report", join(disk, "report.html"), "--resamples", "0"],
      output: "report.html",
      old: "an older report",
      compared: page,
    },
  ];
  return onSmallDisk(disk, async () => {
    let full = 0;
    const undisturbed = new Map<Writing, { readonly files: ReadonlyMap<string, Buffer>; readonly bytes: number }>();
    for (let i = 0; i < rounds; i++) {
      const command = commands[i % commands.length]!;
      const { words, again = [], output, old, compared } = command;
      const found = async (): Promise<Map<string, Buffer>> =>
        new Map([...(await contentsOf(disk))].filter(([path]) => path !== "filler" && compared(path)));
      const requireDone = async (outcome: Outcome): Promise<void> => {
        require(outcome.code === 0, `${command.name}: exit code ${outcome.code}: ${outcome.stderr}`);
        const wrong = difference(await found(), undisturbed.get(command)!.files);
        require(wrong === null, `${command.name}: ${wrong}`);
        if (output === "report.html")
          require((await readFile(join(disk, output), "utf8")).trimEnd().endsWith("</html>"), "the report has no end");
      };
      if (!undisturbed.has(command)) {
        const before = await statfs(disk);
        const { code, stderr } = await bigrid(words);
        require(code === 0, stderr);
        const after = await statfs(disk);
        undisturbed.set(command, { files: await found(), bytes: (before.bavail - after.bavail) * after.bsize });
        await rm(join(disk, output), { recursive: true });
      }
      if (old !== null) await writeFile(join(disk, output), old);
      const { bavail, bsize } = await statfs(disk);
      const rest = Math.floor(1.2 * undisturbed.get(command)!.bytes * torture.draws.unit());
      await writeFile(join(disk, "filler"), Buffer.alloc(Math.max(0, bavail * bsize - rest)));
      const outcome = await bigrid(words);
      if (outcome.code === 0) await requireDone(outcome);
      else {
        full++;
        const lines = outcome.stderr.split("\n").filter((line) => line.startsWith("bigrid:"));
        require(outcome.code === 1 &&
          lines.length === 1 &&
          lines[0]!.includes(
            "the disk is full",
          ), `${command.name}, ${rest} bytes left: exit code ${outcome.code}: ${outcome.stderr}`);
        const left = await contentsOf(disk);
        require(old === null ||
          left.get(output)!.equals(Buffer.from(old)), `${command.name}: what was there before is gone`);
        const part = [...left.keys()].find((path) => path.endsWith(".part"));
        require(part === undefined, `${command.name}: ${part} is left over`);
        await rm(join(disk, "filler"));
        await requireDone(await bigrid([...words, ...again]));
      }
      await rm(join(disk, "filler"), { force: true });
      await rm(join(disk, output), { recursive: true });
    }
    return { rounds, full };
  });
}

const SHELL = "set -o pipefail; ";

/**
 * Gives commands a standard output that is closed, full, or read up to a random byte: exit codes are those of
 * docs/robustness.md, the bytes read are the beginning of an undisturbed run's output, and other output files are
 * whole.
 */
export async function standardOutput(
  torture: Torture,
  rounds: number,
): Promise<{ readonly rounds: number; readonly cut: number }> {
  const [set, run, report] = [torture.at("set", "plate"), torture.at("first"), torture.at("printed.html")];
  const commands = [
    ["inspect", set],
    ["inspect", set, "--json"],
    ["info"],
    ["info", "--json"],
    ["predict", "--help"],
    ["eval", run, set, "--report", report, "--resamples", "0", "--json"],
  ];
  const shell = (words: readonly string[], end: string): ReturnType<typeof ended> =>
    ended(
      spawn("bash", ["-c", `${SHELL}"$0" "$@" ${end}`, process.execPath, PROGRAM, ...words], {
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
  const printed = new Map<readonly string[], string>();
  let cut = 0;
  for (let i = 0; i < rounds; i++) {
    const words = commands[i % commands.length]!;
    const [isJson, isReport] = [words.includes("--json"), words.includes(report)];
    if (!printed.has(words)) printed.set(words, (await bigrid(words)).stdout);
    const whole = printed.get(words)!;
    await rm(report, { force: true });
    const most = Math.floor(1.1 * Buffer.byteLength(whole) * torture.draws.unit());
    const end = torture.draws.pick([">&-", ">/dev/full", `| head -c ${most}`]);
    const { code, stdout, stderr } = await shell(words, end);
    const said = `bigrid ${words.join(" ")} ${end}: exit code ${code}: ${stderr}`;
    if (end === ">&-") require(code === (isJson ? 1 : 0), said);
    else if (end === ">/dev/full")
      require(code === 1 &&
        stderr
          .split("\n")
          .filter((line) => line.startsWith("bigrid:"))
          .join() === "bigrid: cannot write to standard output: the disk is full", said);
    else {
      if (code === 141) cut++;
      require(code === 0 || (code === 141 && most < Buffer.byteLength(whole)), said);
      require(Buffer.from(whole).subarray(0, most).toString() === stdout, `${said}: another beginning was read`);
    }
    const isRefused = end === ">&-" && isJson; // before any work
    if (isReport && !isRefused)
      require((await readFile(report, "utf8")).trimEnd().endsWith("</html>"), `${said}: the report is not whole`);
  }
  return { rounds, cut };
}
