import type { OptionTable, ResolvedOptions } from "../../runtime/option_table.ts";

/** Options of a training's run that decide on no result: by `--set` or in a configuration. */
export const RUN_OPTIONS = {
  saveEvery: {
    kind: "whole",
    least: 1,
    default: 100,
    help: "steps between saved states, from which --resume continues",
  },
  autoBatch: {
    kind: "flag",
    default: false,
    help: "if a batch does not fit in GPU memory, start again with half of it",
  },
} as const satisfies OptionTable;

export type RunOptions = ResolvedOptions<typeof RUN_OPTIONS>;
