import type { OptionContext, OptionTable } from "../../runtime/option_table.ts";
import { DECODERS } from "./decoders.ts";

const BLOCKS: Readonly<Record<string, number>> = { tiny: 1, compact: 2, mobile: 11, basic: 9 };
const NARROW: Readonly<Record<string, { readonly gridChannels: number; readonly headWidth: number }>> = {
  tiny: { gridChannels: 48, headWidth: 64 },
  compact: { gridChannels: 96, headWidth: 64 },
};

/** True for decoders that are narrower than their queries. */
export const isSmall = ({ values: { decoder } }: OptionContext): boolean => decoder === "tiny" || decoder === "compact";

/** The default of an option that is narrower than a pretrained network's features with decoders tiny and compact. */
const byWidth =
  (name: "gridChannels" | "headWidth") =>
  ({ values: { decoder }, pretrained }: OptionContext): number =>
    (pretrained && NARROW[String(decoder)]?.[name]) || 0;

/** The options of a memory of grids; `decoder` comes before the others. */
export const GRID_OPTIONS = {
  decoder: {
    kind: "choice",
    choices: DECODERS,
    frequent: true,
    default: "tiny",
    help: "size of the model",
  },
  recompute: {
    kind: "flag",
    tuning: true,
    default: (context) => !isSmall(context),
    defaultText: "false for decoders tiny and compact, else true",
    help: "recompute decoder blocks in the backward pass instead of storing them: same result, far less memory",
  },
  blocks: {
    kind: "whole",
    least: 1,
    most: 1000,
    default: ({ values }) => BLOCKS[String(values["decoder"])] ?? 1,
    defaultText: "1 for tiny, 2 for compact, 11 for mobile, 9 for basic",
    help: "blocks of a decoder",
  },
  localGrid: {
    kind: "whole",
    least: 1,
    most: 1 << 10,
    default: 8,
    frequent: true,
    help: "cells along a side of the local grids, which each position looks up",
  },
  globalGrid: {
    kind: "whole",
    least: 1,
    most: 1 << 10,
    default: 4,
    help: "cells along a side of the global grids, which each image looks up",
  },
  gridChannels: {
    kind: "whole",
    least: 0,
    most: 1 << 14,
    default: byWidth("gridChannels"),
    defaultText: "with a pretrained network 48 for tiny and 96 for compact, else 0",
    help: "channels of the grids; 0: as many as the features have",
  },
  headWidth: {
    kind: "whole",
    least: 0,
    most: 1 << 14,
    default: byWidth("headWidth"),
    defaultText: "with a pretrained network 64 for tiny and compact, else 0",
    help: "hidden channels of the heads; 0: as many as the features have",
  },
} as const satisfies OptionTable;
