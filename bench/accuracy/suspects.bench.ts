// npm run bench -- suspects DIR... [--features DIR] [--out FILE]
// Adds defective test images to the good ones, 5 and 10 % of their number, drawn three times, and trains PatchCore on them
// with and without `dropSuspects`; prints the table of docs/notes/suspects.md. It is measured on the test images that
// stay. Figures are kept as they come: the same command goes on after an interruption.
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { TrainingImage } from "../../src/detection/views.ts";
import { openDevice } from "../../src/node/device.ts";
import { KeptFigures, spreadOf } from "./kept.ts";
import { drawn, measure, readSubject } from "./subsets.ts";

const SHARES = [0.05, 0.1];
const DRAWS = [0, 1, 2];

const { values, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: {
    features: { type: "string", default: "runs/features" },
    out: { type: "string", default: "bench/results/suspects.json" },
  },
});
const kept = await KeptFigures.open<number>(values.out);
const device = await openDevice();
console.log(
  "| dataset | defective among the good | none of them | all of them | `dropSuspects` as many | twice as many |\n|---|---|---|---|---|---|",
);
for (const root of positionals) {
  const dataset = basename(resolve(root));
  const { name: className, set } = await readSubject(device, root, values.features);
  const [{ train, test }] = set.classes as [(typeof set.classes)[number]];
  for (const share of SHARES) {
    const count = Math.round(share * train.length);
    const own = count / (train.length + count);
    const columns = [
      { title: "without", hasDefects: false, dropSuspects: 0 },
      { title: "with", hasDefects: true, dropSuspects: 0 },
      { title: "with, as many dropped", hasDefects: true, dropSuspects: own },
      { title: "with, twice as many dropped", hasDefects: true, dropSuspects: 2 * own },
    ];
    const cells: string[] = [];
    for (const { title, hasDefects, dropSuspects } of columns) {
      const found: number[] = [];
      for (const draw of DRAWS) {
        const moved = drawn(
          test.filter(({ defective }) => defective),
          count,
          draw,
        );
        const left = test.filter((one) => !moved.includes(one));
        async function* good(): AsyncGenerator<TrainingImage> {
          for (const image of train) yield { className, image };
          if (hasDefects) for (const { features } of moved) yield { className, image: features };
        }
        const measured = async (): Promise<number> => {
          const options = { method: "patchcore", dropSuspects } as const;
          return (await measure(device, set, good(), options, left)).imageAuroc!;
        };
        found.push(await kept.of(`${dataset}, ${count} defective, ${title}, draw ${draw}`, measured));
      }
      cells.push(spreadOf(found));
    }
    console.log(`| ${[dataset, `${count} of ${train.length + count}`, ...cells].join(" | ")} |`);
  }
}
process.exit(); // Dawn would keep the process alive
