import { print } from "../terminal/say.ts";
import type { Outputs } from "./outputs.ts";
import type { Counts } from "./record.ts";
import type { Result } from "../../node/inspection/result.ts";

const MOST = 20; // defective images that are named where a table has them all

/** "defective   0.752  photos/7.png" */
export function lineOf(result: Result): string {
  const score = result.verdict === "unreadable" ? "     " : result.calibrated.toFixed(3);
  return `${result.verdict.padEnd(10)}  ${score}  ${result.image}`;
}

/**
 * Prints what was found: every image, or where tables have them the first defective ones, how many there are, and where
 * everything is.
 * @param limit which scores are defective ones; null where that was decided elsewhere
 */
export async function printSummary(
  results: AsyncIterable<Result>,
  counts: Counts,
  { csv, jsonl, coco, pictures }: Outputs,
  limit: string | null,
): Promise<void> {
  const hasTable = csv !== null || jsonl !== null;
  let named = 0;
  for await (const result of results) {
    if (hasTable && result.verdict !== "defective") continue;
    if (hasTable && ++named > MOST) break;
    print(lineOf(result));
  }
  if (hasTable && counts.defective > MOST) print(`... and ${counts.defective - MOST} more`);
  const inspected = counts.good + counts.defective;
  print(`${counts.defective} of ${inspected} are called defective${limit === null ? "" : `: those ${limit}`}`);
  if (!hasTable && coco === null && pictures.size === 0)
    print("--out DIR writes this as tables, and where the defects are as heat maps");
  for (const [what, path] of [["table", csv], ["lines", jsonl], ["COCO", coco], ...pictures] as const) {
    if (path !== null) print(`${(TITLES[what] ?? what).padEnd(9)} ${path}`);
  }
}

const TITLES: Readonly<Record<string, string>> = {
  heatMap: "heat maps",
  mask: "masks",
  contour: "contours",
  map: "maps",
};
