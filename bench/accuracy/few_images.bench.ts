// npm run bench -- few_images DIR... [--features DIR] [--out FILE]
// Trains PatchCore on 2, 4, 8 and 16 good images, three draws of each, with and without turned and mirrored copies, and
// measures it on all test images; prints the table of docs/notes/few-images.md. Figures are kept as they come: the same
// command goes on after an interruption.
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { TrainingImage } from "../../src/detection/views.ts";
import { AUGMENTATIONS } from "../../src/io/symmetries.ts";
import { decodeImage } from "../../src/node/images.ts";
import { openDevice } from "../../src/node/device.ts";
import { KeptFigures, spreadOf } from "./kept.ts";
import { drawn, measure, readSubject } from "./subsets.ts";

const COUNTS = [2, 4, 8, 16];
const DRAWS = [0, 1, 2];
const COMPARED = AUGMENTATIONS.filter((name) => name === "none" || name === "both");

const { values, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: {
    features: { type: "string", default: "runs/features" },
    out: { type: "string", default: "bench/results/few_images.json" },
  },
});
const kept = await KeptFigures.open<{ imageAuroc: number; pixelAp: number }>(values.out);
const device = await openDevice();
console.log("| dataset | good images | copies | image AUROC | pixel AP |\n|---|---|---|---|---|");
for (const root of positionals) {
  const dataset = basename(resolve(root));
  const { name: className, set, train } = await readSubject(device, root, values.features);
  for (const count of COUNTS.filter((wanted) => wanted <= train.length)) {
    const draws = count === train.length ? [0] : DRAWS;
    for (const augment of COMPARED) {
      const found: { imageAuroc: number; pixelAp: number }[] = [];
      for (const draw of draws) {
        const paths = drawn(train, count, draw);
        async function* good(): AsyncGenerator<TrainingImage> {
          for (const path of paths) yield { className, image: await decodeImage(path) };
        }
        const measured = async () => {
          const options = { method: "patchcore", augment } as const;
          const { imageAuroc, pixelAp } = await measure(device, set, good(), options, set.classes[0]!.test);
          return { imageAuroc: imageAuroc!, pixelAp: pixelAp! };
        };
        found.push(await kept.of(`${dataset}, ${count} images, copies ${augment}, draw ${draw}`, measured));
      }
      const cells = [found.map(({ imageAuroc }) => imageAuroc), found.map(({ pixelAp }) => pixelAp)].map(spreadOf);
      console.log(`| ${[dataset, count, augment, ...cells].join(" | ")} |`);
    }
  }
}
process.exit(); // Dawn would keep the process alive
