import { join } from "node:path";
import { dataUrl, escapedText } from "../../src/cli/report/html.ts";
import { placementOf } from "../../src/io/placement.ts";
import { maskContour } from "../../src/io/contour.ts";
import { paintHeat } from "../../src/io/heat.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { averagePrecision, rank } from "../../src/metrics/ranking.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { writeFileAtomic } from "../../src/node/files/files.ts";
import { decodeImage, decodeMasks, encodeJpeg } from "../../src/node/images.ts";
import { loadSharp } from "../../src/node/samples.ts";
import { readMaps } from "./maps.ts";

/** A dataset and the files of its maps, one for each choice. */
export interface MappedSet {
  readonly root: string;
  readonly dataset: string;
  readonly files: readonly string[];
}

/** A defective test image and how well each choice marks its defect. */
export interface Marked {
  readonly path: string;
  /** Average precision of the image's pixels, for each choice. */
  readonly precisions: readonly number[];
}

const [SIDE, SHOWN] = [224, 2]; // pixels, rows of either kind
const [LOW, HIGH] = [0.5, 0.998]; // quantiles of a choice's values on a dataset, between which heat is drawn
const LEAST = 1e-12;

/**
 * The images on which the last choice gains most against the best of the others, and those on which it loses most, at
 * most so many of each.
 */
export function bestAndWorst(
  images: readonly Marked[],
  count: number,
): { readonly best: Marked[]; readonly worst: Marked[] } {
  const gainOf = ({ precisions }: Marked): number => precisions.at(-1)! - Math.max(...precisions.slice(0, -1));
  const sorted = [...images].sort((a, b) => gainOf(b) - gainOf(a));
  const best = sorted.slice(0, count);
  return {
    best,
    worst: sorted
      .slice(-count)
      .filter((image) => !best.includes(image))
      .reverse(),
  };
}

/** The value below which a share of all values lies, of maps in any order. */
export function quantileOf(maps: Iterable<Float32Array>, share: number): number {
  const all: number[] = [];
  for (const map of maps) for (let i = 0; i < map.length; i += 7) all.push(map[i]!); // enough of them
  all.sort((a, b) => a - b);
  return all[Math.min(all.length - 1, Math.floor(share * all.length))]!;
}

/** Writes the page. */
export async function writePictures(
  out: string,
  backbone: string,
  choices: readonly string[],
  sets: readonly MappedSet[],
): Promise<void> {
  const sections: string[] = [];
  for (const set of sets) sections.push(await sectionOf(choices, set));
  const title = `Maps of ${choices.join(", ")}: ${backbone}`;
  await writeFileAtomic(
    out,
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapedText(title)}</title>
<style>:root{color-scheme:light dark;--text:#1d2430;--back:#fff;--muted:#5d6878}@media(prefers-color-scheme:dark){:root{--text:#e4e8ee;--back:#14181f;--muted:#98a3b3}}
body{margin:2rem auto;max-width:76rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back)}
.row{display:grid;grid-template-columns:repeat(${choices.length + 1},minmax(0,1fr));gap:.5rem;margin:.5rem 0 1.2rem}figure{margin:0}img{width:100%;display:block;border-radius:4px}
figcaption{font-size:12px;color:var(--muted);overflow-wrap:anywhere}h3{margin:1.2rem 0 .3rem;font-size:1rem}@media(max-width:40rem){.row{grid-template-columns:repeat(2,1fr)}}</style>
<h1>${escapedText(title)}</h1><p>White: the outline of the mask. Heat is drawn between the median and the top 0.2 % of a choice's values on the whole dataset. Below a map: the
average precision of its pixels, in percent.</p>
${sections.join("\n")}</html>
`,
  );
}

async function sectionOf(choices: readonly string[], { root, dataset, files }: MappedSet): Promise<string> {
  const { classes } = await readDataset(root);
  const items = classes.flatMap(({ test }) => test);
  const maps = await Promise.all(files.map(readMaps));
  const scales = maps.map(
    (own) =>
      [Math.max(LEAST, quantileOf(own.values(), LOW)), Math.max(2 * LEAST, quantileOf(own.values(), HIGH))] as const,
  );
  const masks = new Map<string, Uint8Array>();
  const marked: Marked[] = [];
  for (const { path, masks: own } of items) {
    const mask = await decodeMasks(
      own.map((each) => join(root, each)),
      SIDE,
      SIDE,
      (picture) => placementOf("stretch", picture, { width: SIDE, height: SIDE }),
    );
    if (!mask?.includes(1)) continue;
    masks.set(path, mask);
    marked.push({ path, precisions: maps.map((each) => averagePrecision(rank(each.get(path)!, mask))!) });
  }
  const rowOf = async ({ path, precisions }: Marked): Promise<string> => {
    const image = await resized(await decodeImage(join(root, path)));
    const outlined = withContour(image, masks.get(path)!);
    const size = { width: SIDE, height: SIDE };
    const figures = [await figureOf(outlined, path)];
    for (const [i, choice] of choices.entries()) {
      const placement = placementOf("stretch", size, size);
      const heated = paintHeat(image, {
        map: maps[i]!.get(path)!,
        size,
        photograph: size,
        placement,
        heat: scales[i]!,
      });
      figures.push(
        await figureOf(withContour(heated, masks.get(path)!), `${choice}: ${(100 * precisions[i]!).toFixed(0)} %`),
      );
    }
    return `<div class="row">${figures.join("")}</div>`;
  };
  const { best, worst } = bestAndWorst(marked, SHOWN);
  const rows = async (title: string, own: readonly Marked[]): Promise<string> =>
    `<h3>${title}</h3>${(await Promise.all(own.map(rowOf))).join("")}`;
  return `<h2>${escapedText(dataset)}</h2>${await rows("Gains most", best)}${await rows("Loses most", worst)}`;
}

async function resized({ data, width, height }: DecodedImage): Promise<DecodedImage> {
  const sharp = await loadSharp();
  const pixels = await sharp(data, { raw: { width, height, channels: 4 } })
    .resize(SIDE, SIDE, { fit: "fill" })
    .raw()
    .toBuffer();
  return { data: new Uint8Array(pixels), width: SIDE, height: SIDE };
}

/** A copy of the picture with the outline of a mask of its size. */
function withContour({ data, width, height }: DecodedImage, mask: Uint8Array): DecodedImage {
  const outline = maskContour(mask, width, height);
  const painted = data.map((value, i) => {
    const alpha = outline[i | 3]! / 255;
    return alpha * outline[i]! + (1 - alpha) * value;
  });
  return { data: new Uint8Array(painted), width, height };
}

async function figureOf(picture: DecodedImage, caption: string): Promise<string> {
  const jpeg = await encodeJpeg(picture, SIDE, SIDE);
  return `<figure><img alt="${escapedText(caption)}" src="${dataUrl("jpeg", jpeg)}"><figcaption>${escapedText(caption)}</figcaption></figure>`;
}
