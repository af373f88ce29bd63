import { spawnSync } from "node:child_process";

/**
 * Runs apt-get without prompts.
 * @throws Error with its output if it fails
 */
export function aptGet(...words) {
  const options = ["-qq", "-o", "Acquire::Retries=3", ...words];
  const { status, stdout, stderr } = spawnSync("apt-get", options, {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (status !== 0) throw new Error(`apt-get ${words.join(" ")} failed:\n${stdout}${stderr}`);
}
