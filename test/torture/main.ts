// npm run torture -- [--kills N] [--seed N]: kills training, predict --watch and saving at random moments, N times each
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withArguments } from "../command_line.ts";
import { Torture } from "./torture.ts";

const KILLS = 100;

/** Tortures, prints, and returns the exit code. */
export const main = (args: readonly string[]): Promise<number> =>
  withArguments(args, ["kills", "seed"], ({ number }) => [number("kills") ?? KILLS, number("seed") ?? 1] as const, run);

async function run([kills, seed]: readonly [kills: number, seed: number]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "bigrid-torture-"));
  try {
    const torture = await Torture.begin(folder, seed);
    const trained = await torture.training(kills);
    console.log(`training: ${trained.kills} kills, ${trained.done} trainings came to their end, to the same bytes as undisturbed; nothing saved was lost`);
    const watched = await torture.watching(kills);
    console.log(`predict --watch: ${watched.kills} kills, ${watched.done} images, each in every table, once`);
    const saved = await torture.saving(kills);
    console.log(`saving: ${saved.kills} kills, the model was whole each time; ${await torture.leftOver()} files that were begun are left over`);
    return 0;
  } catch (error) {
    console.log(`seed ${seed}: ${(error as Error).message}`);
    return 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
