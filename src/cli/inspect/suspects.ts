import { join, relative } from "node:path";
import type { Dataset } from "../../data/dataset.ts";
import { findSuspects, type RankedImage, type SuspectOptions } from "../../detection/find_suspects.ts";
import type { DetectorInput } from "../../detection/input.ts";
import { TRAINING_OPTIONS } from "../../detection/training_options.ts";
import { paintHeat } from "../../io/heat.ts";
import { placementOf, sizeWithin } from "../../io/placement.ts";
import { printable } from "../../io/printable.ts";
import { openDevice } from "../../node/device.ts";
import { decodeImage, encodeJpeg } from "../../node/images.ts";
import { goodImages } from "../dataset.ts";
import { dataUrl, escapedText } from "../report/html.ts";
import { Bars } from "../terminal/bars.ts";

const TITLES = { features: "Features", suspects: "Comparison" };
const MOST_LISTED = 10;
const MOST_SHOWN = 12;
/** Distances drawn as nothing and as the strongest heat, in units of the middle image's. */
const HEAT = [0.7, 1.8] as const;

/** Ranks a dataset's good images: those least like the others first; names are paths below `root`. */
export async function rankSuspects(root: string, dataset: Dataset, options: SuspectOptions): Promise<RankedImage[]> {
  const total = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
  const input: DetectorInput = { resize: "stretch", size: options.inputSize ?? TRAINING_OPTIONS.inputSize.default };
  const bars = new Bars();
  const device = await openDevice();
  try {
    const ranked = await findSuspects(device, goodImages(root, dataset, { strict: false, region: null, input }), {
      ...options,
      onProgress: ({ phase, done }) => bars.show(TITLES[phase], total).update(done),
    });
    return ranked.map((image) => ({ ...image, name: relative(root, image.name) }));
  } finally {
    bars.end();
    device.destroy();
  }
}

/** The images least like the others, a line each. */
export function suspectsText(ranked: readonly RankedImage[]): string {
  const lines = ranked.slice(0, MOST_LISTED).map(({ name, ratio }) => `  ${ratioText(ratio)}  ${name}`);
  const title = "Least like the other good images of their class (1.00: as far from them as the middle one)";
  return [title, ...lines].map(printable).join("\n");
}

const ratioText = (ratio: number): string => ratio.toFixed(2).padStart(6);

/** The same with pictures, as a section of the page: warm where an image is unlike the others. */
export async function suspectsSection(root: string, ranked: readonly RankedImage[], side: number): Promise<string> {
  const cards: string[] = [];
  for (const image of ranked.slice(0, MOST_SHOWN)) cards.push(await card(root, image, side));
  return `<section id="suspects">
  <h2>Least like the others</h2>
  <p class="intro">Good images whose strangest places are farthest from all that other good images of their class show; 1.00 is as far as the middle one. Look at them: a defective image among the good ones teaches that its defect is good.</p>
  <ul class="gallery">${cards.join("")}</ul>
</section>`;
}

async function card(root: string, { name, ratio, cells, side }: RankedImage, longer: number): Promise<string> {
  const photograph = await decodeImage(join(root, name));
  const { width, height } = sizeWithin(photograph, longer);
  const size = { width: side, height: side };
  const placement = placementOf("stretch", photograph, size);
  const painted = paintHeat(photograph, { map: cells, size, photograph, placement, heat: HEAT });
  const place = escapedText(name);
  return (
    `<li class="card"><div class="frame"><img src="${dataUrl("jpeg", await encodeJpeg(painted, width, height))}" alt="${place}, warm where it is unlike the others"></div>` +
    `<div class="card-text"><p class="card-name"><b>${ratio.toFixed(2)}</b></p><p class="card-place"><span title="${place}">${place}</span></p></div></li>`
  );
}
