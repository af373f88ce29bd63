import { basename, join, resolve } from "node:path";
import type { Dataset, DatasetClass, Item } from "../../data/dataset.ts";
import type { Survey } from "../../data/survey.ts";
import type { RankedImage } from "../../detection/find_suspects.ts";
import { decodeImage, decodeMasks, encodeJpeg, encodePng } from "../../node/images.ts";
import { InputError } from "../../runtime/errors.ts";
import { PAGE_STYLE } from "../report/page/page.ts";
import type { Method } from "../../methods/method.ts";
import { maskContour } from "../../io/contour.ts";
import { sizeWithin } from "../../io/placement.ts";
import { printable } from "../../io/printable.ts";
import { dataUrl, escapedText } from "../report/html.ts";
import ownStyle from "./inspect_page.css?raw";
import { suspectsSection } from "./suspects.ts";
import { adviceOf, COLUMNS, countsOf, detailsOf, findingsOf, totalOf } from "./inspect_text.ts";

const THUMBNAIL_SIDE = 320; // pixels, of the longer side
// Shown of a class: to learn from, good to test, of each defect, of so many defects.
const SAMPLES = { train: 4, good: 2, each: 2, kinds: 12 };

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'";

/**
 * The findings of `inspect` as one self-contained HTML page: the tables, what looks wrong, samples of each class with
 * the outlines of their masks, and the methods to choose from; the good images least like the others, if they were ranked.
 */
export async function inspectPage(
  root: string,
  dataset: Dataset,
  survey: Survey,
  methods: readonly Method[],
  ranked: readonly RankedImage[] | null,
): Promise<string> {
  const { layout, classes } = dataset;
  const title = escapedText(basename(resolve(root))); // not where on this machine: the page is handed on
  const parts: string[] = [];
  for (const [i, found] of classes.entries())
    parts.push(await classSection(root, found, detailsOf(survey.classes[i]!)));
  const total = totalOf(survey.classes);
  const row = (name: string, counts: readonly number[]): string =>
    `<tr><th scope="row">${escapedText(name)}</th>${counts.map((count) => `<td class="n">${count}</td>`).join("")}</tr>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${PAGE_STYLE}
${ownStyle}</style>
</head>
<body>
<header class="page-head">
  <p class="kicker">bigrid &middot; dataset</p>
  <h1>${title}</h1>
  <p class="lead">${escapedText(layout.title)}, ${classes.length === 1 ? "one class" : `${classes.length} classes`}.</p>
</header>
<main>
<section id="layout">
  <h2>How it is understood</h2>
  <ul class="rule">${layout.rule
    .split("; ")
    .map((part) => `<li>${escapedText(part)}</li>`)
    .join("")}</ul>
  <div class="scroller" tabindex="0" role="region" aria-label="Images of each class">
  <table>
    <thead><tr><th scope="col">Class</th>${COLUMNS.map((title) => `<th scope="col" class="n">${title}</th>`).join("")}</tr></thead>
    <tbody>${survey.classes.map((found) => row(found.name, countsOf(found))).join("")}</tbody>
    ${total ? `<tfoot>${row("all", total)}</tfoot>` : ""}
  </table>
  </div>
</section>
<section id="findings">
  <h2>What looks wrong</h2>
  ${findingList(survey, "problem") || '<p class="intro">Nothing.</p>'}
  ${findingsOf(survey, "remark").length > 0 ? `<h3>Good to know</h3>${findingList(survey, "remark")}` : ""}
</section>
${ranked ? await suspectsSection(root, ranked, THUMBNAIL_SIDE) : ""}
${parts.join("\n")}
<section id="methods">
  <h2>Methods to choose from</h2>
  <dl class="setup methods">${methods
    .map(({ title, suits }) => `<div><dt>${escapedText(title)}</dt><dd>It suits ${escapedText(suits)}.</dd></div>`)
    .join("")}</dl>
</section>
</main>
<footer class="page-foot"><p>Made by bigrid. This file is complete in itself and asks the network for nothing.</p></footer>
</body>
</html>
`;
}

function findingList(survey: Survey, severity: "problem" | "remark"): string {
  return findingsOf(survey, severity)
    .map(({ kind, message, advice, paths }) => {
      const summary = paths.length === 1 ? "Which one" : `All ${paths.length}`;
      const list = `<ul class="paths">${paths.map((path) => `<li>${escapedText(path)}</li>`).join("")}</ul>`;
      const files = paths.length === 0 ? "" : `<details><summary>${summary}</summary>${list}</details>`;
      const words = `<p><b>${escapedText(message)}</b></p><p class="soft">${escapedText(adviceOf({ kind, advice }))}</p>`;
      return `<div class="finding ${severity}">${words}${files}</div>`;
    })
    .join("");
}

async function classSection(
  root: string,
  { name, train, test }: DatasetClass,
  details: readonly (readonly [string, string])[],
): Promise<string> {
  const kinds = [...new Set(test.filter((item) => item.defective).map(({ defect }) => defect))]
    .sort()
    .slice(0, SAMPLES.kinds);
  const groups: (readonly [title: string, items: readonly Item[], most: number])[] = [
    ["good, to learn from", train, SAMPLES.train],
    ["good, to test", test.filter((item) => !item.defective), SAMPLES.good],
    ...kinds.map(
      (kind) => [kind, test.filter(({ defective, defect }) => defective && defect === kind), SAMPLES.each] as const,
    ),
  ];
  const cards: string[] = [];
  for (const [title, items, most] of groups) cards.push(...(await cardsOf(root, title, items, most)));
  return `<section id="class-${escapedText(encodeURIComponent(printable(name)))}">
  <h2>${escapedText(name)}</h2>
  <dl class="setup">${details.map(([title, value]) => `<div><dt>${title}</dt><dd>${escapedText(value)}</dd></div>`).join("")}</dl>
  <ul class="gallery">${cards.join("")}</ul>
</section>`;
}

/** Cards of up to `most` images, those that can be read, spread over all of them. */
async function cardsOf(root: string, title: string, items: readonly Item[], most: number): Promise<string[]> {
  const cards: string[] = [];
  const step = Math.max(1, Math.floor(items.length / most));
  for (let at = 0; at < items.length && cards.length < most; at += step) {
    try {
      cards.push(await card(root, title, items[at]!));
    } catch (error) {
      if (!(error instanceof InputError)) throw error; // it is among the findings
    }
  }
  return cards;
}

async function card(root: string, title: string, { path, masks, defective }: Item): Promise<string> {
  const photograph = await decodeImage(join(root, path));
  const { width, height } = sizeWithin(photograph, THUMBNAIL_SIDE);
  const mask = await decodeMasks(
    masks.map((mask) => join(root, mask)),
    width,
    height,
  );
  const outline = mask && dataUrl("png", await encodePng(maskContour(mask, width, height), width, height));
  const note = defective ? (mask ? "outlined" : "no mask") : "";
  const picture = dataUrl("jpeg", await encodeJpeg(photograph, width, height));
  const place = escapedText(path);
  return (
    `<li class="card"><div class="frame"><img src="${picture}" alt="${escapedText(title)}: ${place}">` +
    `${outline ? `<img src="${outline}" alt="">` : ""}</div>` +
    `<div class="card-text"><p class="card-name"><b>${escapedText(title)}</b><span class="verdict">${note}</span></p>` +
    `<p class="card-place"><span title="${place}">${place}</span><span>${photograph.width}x${photograph.height}</span></p></div></li>`
  );
}
