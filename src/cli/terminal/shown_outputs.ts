import { claimOutputs, type Outputs } from "../../node/files/claim.ts";
import type { Lock } from "../../node/files/lock.ts";
import { findTarget } from "../../node/files/targets.ts";
import { OptionError } from "../../runtime/errors.ts";
import { reserveOutput } from "./say.ts";

/**
 * Claims a command's outputs as `claimOutputs`. If one of them is standard output, it gets that alone: what is printed
 * for people goes to standard error.
 * @param printer the flag with which the command prints results for programs to standard output
 * @throws OptionError if two things would be written to standard output
 */
export async function claimShown(outputs: Outputs, printer: string | false = false): Promise<Lock> {
  const taker = await findTaker(outputs.files ?? []);
  if (taker !== null && printer !== false)
    throw new OptionError(`${printer} prints to standard output, where ${taker} goes too: leave one of them out`);
  if (taker !== null) reserveOutput();
  return claimOutputs(outputs);
}

/** The first of some paths that is standard output; null if none is. */
async function findTaker(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const target = await findTarget(path).catch(() => null); // what is wrong with it is said when it is claimed
    if (target?.kind === "descriptor" && target.fd === 1) return path;
  }
  return null;
}
