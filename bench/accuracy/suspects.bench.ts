// npm run bench -- suspects DIR... [--features DIR]
// Adds defective test images to the good ones, 5 and 10 % of their number, drawn three times, and trains PatchCore on them
// with and without `dropSuspects`; prints the table of docs/notes/suspects.md. It is measured on the test images that
// stay.
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { TrainingImage } from "../../src/detection/material.ts";
import { openDevice } from "../../src/node/device.ts";
import { drawn, measure, readSubject } from "./subsets.ts";

const SHARES = [0.05, 0.1];
const DRAWS = [0, 1, 2];

const { values, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: { features: { type: "string", default: "runs/features" } },
});
const device = await openDevice();
console.log(
  "| dataset | defective among the good | none of them | all of them | `dropSuspects` as many | twice as many |\n|---|---|---|---|---|---|",
);
for (const root of positionals) {
  const { name: className, set } = await readSubject(device, root, values.features);
  const [{ train, test }] = set.classes as [(typeof set.classes)[number]];
  for (const share of SHARES) {
    const count = Math.round(share * train.length);
    const columns: number[][] = [[], [], [], []];
    for (const draw of DRAWS) {
      const moved = drawn(
        test.filter(({ defective }) => defective),
        count,
        draw,
      );
      const left = test.filter((one) => !moved.includes(one));
      const own = count / (train.length + count);
      const trained = async (hasDefects: boolean, dropSuspects: number): Promise<number> => {
        async function* good(): AsyncGenerator<TrainingImage> {
          for (const image of train) yield { className, image };
          if (hasDefects) for (const { features } of moved) yield { className, image: features };
        }
        const metrics = await measure(device, set, good(), { method: "patchcore", dropSuspects }, left);
        return 100 * metrics.imageAuroc!;
      };
      columns[0]!.push(await trained(false, 0));
      columns[1]!.push(await trained(true, 0));
      columns[2]!.push(await trained(true, own));
      columns[3]!.push(await trained(true, 2 * own));
    }
    const cells = columns.map((all) => {
      const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
      return `${mean.toFixed(1)} (${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)})`;
    });
    console.log(`| ${[basename(resolve(root)), `${count} of ${train.length + count}`, ...cells].join(" | ")} |`);
  }
}
process.exit(); // Dawn would keep the process alive
