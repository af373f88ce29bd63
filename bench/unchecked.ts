// What safety costs: the same measurements on a device without the checks that WebGPU promises.
import type { AdapterSwitch } from "../src/runtime/acquire.ts";
import type { Device } from "../src/runtime/device.ts";
import { SWITCHES } from "../src/node/dawn.ts";
import { openSwitched } from "../src/node/device.ts";

/** Dawn's checks that cost time in kernels, off. */
export const UNCHECKED: readonly AdapterSwitch[] = [
  { name: "disable_robustness", on: true, purpose: "indices are not clamped to their arrays" },
  { name: "disable_workgroup_init", on: true, purpose: "workgroup memory is not zeroed" },
  { name: "disable_polyfills_on_integer_div_and_mod", on: true, purpose: "division by zero is the driver's" },
];

/**
 * A device without these checks, for measurements alone: a kernel that reads past an array may take the process along.
 */
export const openUnchecked = (): Promise<Device> => openSwitched([...SWITCHES, ...UNCHECKED]);

/** Times of a row without checks, in milliseconds. */
export interface Unchecked {
  readonly milliseconds: number;
  readonly least: number;
}

/** Share of a row's least time that its checks take; below 0 where it is faster with them. */
export const costOf = (row: Pick<Unchecked, "least">, unchecked: Pick<Unchecked, "least">): number =>
  1 - unchecked.least / row.least;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** "7.1 ms unchecked: checks cost 12 %" */
export const uncheckedWords = (row: Pick<Unchecked, "least">, unchecked: Unchecked): string =>
  `${unchecked.milliseconds.toPrecision(3)} ms unchecked: checks cost ${percent(costOf(row, unchecked))}`;

/** A line about all rows: the median of what checks cost, and the row in which they cost most. */
export function costSummary(
  rows: readonly { readonly name: string; readonly least: number; readonly unchecked: Unchecked }[],
): string {
  const costs = rows.map((row) => ({ name: row.name, cost: costOf(row, row.unchecked) }));
  costs.sort((a, b) => a.cost - b.cost);
  const [median, most] = [costs[costs.length >> 1]!, costs.at(-1)!];
  return `checks cost ${percent(median.cost)} in the median of ${rows.length} rows, at most ${percent(most.cost)}: ${most.name}`;
}
