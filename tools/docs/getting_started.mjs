// node tools/docs/getting_started.mjs runs the commands of docs/getting_started.md and writes down their output (some
// minutes)
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../docs/getting_started.md", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../../dist/bigrid.js", import.meta.url));
const BLOCK = /```console\n([\s\S]*?)```/g;
const HOME = "/home/you";

/**
 * The page with the current output of its commands.
 * @param {string} folder working directory
 * @param {(command: string) => boolean} isWanted selects the commands to run; the output of others stays
 */
export function replayed(page, folder, isWanted = () => true) {
  return page.replace(BLOCK, (_block, text) => {
    const steps = text.split(/^(?=\$ )/m).map((step) => {
      const [line] = step.split("\n", 1);
      const command = line.slice(2);
      return isWanted(command) ? `${line}\n${outputOf(command, folder)}` : step;
    });
    return `\`\`\`console\n${steps.join("")}\`\`\``;
  });
}

/** The messages on stderr without progress, then stdout; whatever the exit code. */
function outputOf(command, folder) {
  const script = `bigrid() { "${process.execPath}" "${PROGRAM}" "$@"; }; ${command}`;
  const env = { ...process.env, HF_HUB_CACHE: join(folder, "hub") };
  const { stderr, stdout } = spawnSync("bash", ["-c", script], { cwd: folder, env, encoding: "utf8" });
  const said = stderr
    .split("\n")
    .filter((line) => line !== "" && !/[█░]/.test(line))
    .map((line) => `${line}\n`)
    .join("");
  return (said + stdout).replaceAll(folder, HOME);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), "bigrid-getting-started-"));
  try {
    writeFileSync(PAGE, replayed(readFileSync(PAGE, "utf8"), folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
