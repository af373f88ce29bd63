// npm run torture -- [--kills N] [--rounds N] [--seed N] [--part NAME]: kills, concurrent writers, full disks and
// closed outputs at random moments
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OptionError } from "../../src/runtime/errors.ts";
import { withArguments } from "../harness/command_line.ts";
import { fullDisk, standardOutput } from "./outputs.ts";
import { serving } from "./serving.ts";
import { Torture } from "./torture.ts";
import { canUnshare, starting, writers } from "./writers.ts";

const KILLS = 100;
const ROUNDS = 100;
const REQUESTS = 20; // of each round

/** Each part, which returns a summary; null if the system does not allow it. */
const PARTS: Readonly<Record<string, (torture: Torture, kills: number, rounds: number) => Promise<string | null>>> = {
  training: async (torture, kills) => {
    const { done } = await torture.training(kills);
    return `${kills} kills, ${done} trainings came to their end, to the same bytes as undisturbed; nothing saved was lost`;
  },
  watching: async (torture, kills) =>
    `${kills} kills, ${(await torture.watching(kills)).done} images, each in every table, once`,
  saving: async (torture, kills) => {
    await torture.saving(kills);
    return `${kills} kills, the model was whole each time; ${await torture.leftOver()} files that were begun are left over`;
  },
  starting: async (torture, kills) =>
    `${kills} kills, ${(await starting(torture, kills)).launchers} of launchers; nothing went on, and nothing was half written`,
  writers: async (torture, _kills, rounds) =>
    `${rounds} rounds, ${(await writers(torture, rounds, false)).refused} refused; the results were right each time, also after a killed holder`,
  containers: async (torture, _kills, rounds) =>
    canUnshare
      ? `${rounds} rounds, ${(await writers(torture, rounds, true)).refused} refused; the same in namespaces of their own`
      : null,
  disks: async (torture, _kills, rounds) => {
    const filled = await fullDisk(torture, rounds);
    return (
      filled &&
      `${rounds} rounds, ${filled.full} met a full disk; nothing was half written, what was there stayed, and all came to their end with room`
    );
  },
  serving: async (torture, _kills, rounds) => {
    const served = await serving(torture.at("first"), torture.at("pictures"), REQUESTS * rounds);
    const { requests, rate, p50, p95, perBatch } = served;
    const times = `${p50.toFixed(0)} ms at the median, ${p95.toFixed(0)} ms for 95 of 100`;
    return `${requests} requests, 32 at a time, none lost or mixed up; ${times}, ${rate.toFixed(0)} a second, ${perBatch.toFixed(1)} images a batch`;
  },
  outputs: async (torture, _kills, rounds) =>
    `${rounds} rounds, ${(await standardOutput(torture, rounds)).cut} were cut; exit codes were right, and files whole`,
};

/** Runs the parts, prints, and returns the exit code. */
export const main = (args: readonly string[]): Promise<number> =>
  withArguments(
    args,
    ["kills", "rounds", "seed", "part"],
    ({ number, text }) =>
      [number("kills") ?? KILLS, number("rounds") ?? ROUNDS, number("seed") ?? 1, partsNamed(text("part"))] as const,
    run,
  );

function partsNamed(name: string | null): readonly string[] {
  if (name !== null && !Object.hasOwn(PARTS, name))
    throw new OptionError(`--part: expected one of ${Object.keys(PARTS).join(", ")}, got ${name}`);
  return name === null ? Object.keys(PARTS) : [name];
}

async function run([kills, rounds, seed, parts]: readonly [
  kills: number,
  rounds: number,
  seed: number,
  parts: readonly string[],
]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "bigrid-torture-"));
  try {
    const torture = await Torture.begin(folder, seed);
    for (const part of parts)
      console.log(
        `${part}: ${(await PARTS[part]!(torture, kills, rounds)) ?? "skipped, since this system does not allow it"}`,
      );
    return 0;
  } catch (error) {
    console.log(`seed ${seed}: ${(error as Error).message}`);
    return 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
