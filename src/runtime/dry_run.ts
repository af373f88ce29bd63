import { UsageError } from "./errors.ts";
import { Live } from "./live.ts";

/** A target on an engine that executes nothing: shows which kernels and how much memory work needs. */
export class DryRun extends Live {
  override readonly isDryRun = true;

  override async read(): Promise<never> {
    throw new UsageError("prepare: nothing can be read back inside");
  }

  /** Does nothing: a program's kernels were compiled when it was captured. */
  override run(): void {}
}
