import { UsageError } from "./errors.ts";
import { Live } from "./live.ts";

/** Goes through the motions on an engine where nothing happens: shows which kernels and how much memory work takes. */
export class DryRun extends Live {
  override readonly isDryRun = true;

  override async read(): Promise<never> {
    throw new UsageError("prepare: nothing can be read back inside");
  }

  /** Does nothing: what a program dispatches was compiled when it was captured. */
  override run(): void {}
}
