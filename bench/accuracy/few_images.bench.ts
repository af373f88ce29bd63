// npm run bench -- few_images DIR... [--features DIR]
// Trains PatchCore on 2, 4, 8 and 16 good images, three draws of each, with and without turned and mirrored copies, and
// measures it on all test images; prints the tables of docs/notes/few-images.md as they come.
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { TrainingImage } from "../../src/detection/material.ts";
import type { Metrics } from "../../src/metrics/metrics.ts";
import { AUGMENTATIONS } from "../../src/io/symmetries.ts";
import { decodeImage } from "../../src/node/images.ts";
import { openDevice } from "../../src/node/device.ts";
import { drawn, measure, readSubject } from "./subsets.ts";

const COUNTS = [2, 4, 8, 16];
const DRAWS = [0, 1, 2];
const COMPARED = AUGMENTATIONS.filter((name) => name === "none" || name === "both");

const { values, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: { features: { type: "string", default: "runs/features" } },
});
const device = await openDevice();
console.log("| dataset | good images | copies | image AUROC | pixel AP |\n|---|---|---|---|---|");
for (const root of positionals) {
  const { name: className, set, train } = await readSubject(device, root, values.features);
  for (const count of COUNTS.filter((wanted) => wanted <= train.length)) {
    const draws = count === train.length ? [0] : DRAWS;
    for (const augment of COMPARED) {
      const found: Metrics[] = [];
      for (const draw of draws) {
        const paths = drawn(train, count, draw);
        async function* good(): AsyncGenerator<TrainingImage> {
          for (const path of paths) yield { className, image: await decodeImage(path) };
        }
        found.push(await measure(device, set, good(), { method: "patchcore", augment }, set.classes[0]!.test));
      }
      const cells = [found.map(({ imageAuroc }) => imageAuroc), found.map(({ pixelAp }) => pixelAp)].map(spreadOf);
      console.log(`| ${[basename(resolve(root)), count, augment, ...cells].join(" | ")} |`);
    }
  }
}
process.exit(); // Dawn would keep the process alive

/** The mean of some shares, and the least and the largest, in percent. */
function spreadOf(shares: readonly (number | null)[]): string {
  const known = shares.flatMap((share) => (share === null ? [] : [100 * share]));
  const mean = known.reduce((sum, share) => sum + share, 0) / known.length;
  if (known.length === 1) return mean.toFixed(1);
  return `${mean.toFixed(1)} (${Math.min(...known).toFixed(1)} to ${Math.max(...known).toFixed(1)})`;
}
