// npm run bench -- few_images [DIR...] [--features DIR] [--out FILE]
// Trains PatchCore on 2, 4, 8 and 16 good images, three draws of each, with and without turned and mirrored copies, and
// measures it on all test images. Figures are kept as they come: the same command goes on after an interruption. Then
// prints the table of docs/notes/few-images.md, of all figures that are kept; without a DIR, at once.
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { TrainingImage } from "../../src/detection/views.ts";
import { decodeImage } from "../../src/node/images.ts";
import { openDevice } from "../../src/node/device.ts";
import { KeptFigures, spreadOf } from "./kept.ts";
import { drawn, measure, readSubject } from "./subsets.ts";

interface Figures {
  readonly imageAuroc: number;
  readonly pixelAp: number;
}

const COUNTS = [2, 4, 8, 16];
const DRAWS = [0, 1, 2];
const COMPARED = ["none", "both"] as const; // copies

/** The name of figures; the pattern finds its parts again. */
const nameOf = (dataset: string, count: number, augment: string, draw: number): string =>
  `${dataset}, ${count} images, copies ${augment}, draw ${draw}`;
const NAME = /^(.*), (\d+) images, copies (\w+), draw \d+$/;

const { values, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: {
    features: { type: "string", default: "runs/features" },
    out: { type: "string", default: "bench/results/few_images.json" },
  },
});
const kept = await KeptFigures.open<Figures>(values.out);
if (positionals.length > 0) await measureAll(positionals);
console.log(table(kept.known));
process.exit(); // Dawn would keep the process alive

async function measureAll(roots: readonly string[]): Promise<void> {
  const device = await openDevice();
  for (const root of roots) {
    const dataset = basename(resolve(root));
    const { name: className, set, train } = await readSubject(device, root, values.features);
    for (const count of COUNTS.filter((wanted) => wanted <= train.length)) {
      for (const draw of count === train.length ? [0] : DRAWS) {
        const paths = drawn(train, count, draw);
        async function* good(): AsyncGenerator<TrainingImage> {
          for (const path of paths) yield { className, image: await decodeImage(path) };
        }
        for (const augment of COMPARED) {
          const name = nameOf(dataset, count, augment, draw);
          const started = performance.now();
          await kept.of(name, async () => {
            const options = { method: "patchcore", augment } as const;
            const { imageAuroc, pixelAp } = await measure(device, set, good(), options, set.classes[0]!.test);
            return { imageAuroc: imageAuroc!, pixelAp: pixelAp! };
          });
          console.error(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
        }
      }
    }
  }
}

/** The table of figures: means over draws, from the least to the largest. */
function table(figures: ReadonlyMap<string, Figures>): string {
  const groups = new Map<string, Map<string, Figures[]>>(); // by dataset and count, then by copies
  for (const [name, one] of figures) {
    const [, dataset, count, augment] = NAME.exec(name) as unknown as [string, string, string, string];
    const row = `${dataset} | ${count}`;
    const group = groups.get(row) ?? new Map<string, Figures[]>();
    groups.set(row, group.set(augment, [...(group.get(augment) ?? []), one]));
  }
  const rows = [...groups].flatMap(([row, group]) => {
    const measured = COMPARED.flatMap((augment) => group.get(augment) ?? []);
    const draws = measured.length / COMPARED.length;
    if (COMPARED.some((augment) => group.get(augment)?.length !== draws)) return []; // not all are measured yet
    const cells = (["imageAuroc", "pixelAp"] as const).flatMap((of) =>
      COMPARED.map((augment) => spreadOf(group.get(augment)!.map((one) => one[of]))),
    );
    return [`| ${[row, draws, ...cells].join(" | ")} |`];
  });
  const head = "| images | good ones | draws | image AUROC | with copies | pixel AP | with copies |";
  return [head, head.replace(/[^|]+/g, "---"), ...rows].join("\n");
}
