import type { MetricName } from "../../../metrics/metrics.ts";
import { contentPolicy, escapedText, unixLines } from "../../report/html.ts";
import { PAGE_STYLE } from "../../report/page/page.ts";
import { definedMetrics, type Comparison, type ComparedMethod, type Figure } from "../comparison.ts";
import type { GalleryImage, View } from "../gallery.ts";
import { conclusions, metricName, RATE, ranked, TRAINING, type CostColumn } from "../words.ts";
import ownStyle from "./compare_page.css?raw";
import ownScript from "./compare_page.js?raw";
import { figuresSection } from "./figures.ts";
import { dotPlot, scatterPlot, type PlottedMethod, type PlottedValue, type ScatterPoint } from "./plots.ts";

const COLOURS = 8; // of the style sheet
const REJECTED = 0.5; // a calibrated score

/**
 * The comparison as one self-contained HTML page: figures by class, sortable, plots, and the images that each method
 * judges worst, as all see them. The same comparison gives the same page.
 */
export function comparePage(comparison: Comparison, gallery: readonly GalleryImage[]): string {
  const { dataset, adapter, created, seeds } = comparison;
  const script = unixLines(ownScript);
  const title = escapedText(`Methods on ${dataset.name}`);
  const metrics = definedMetrics(comparison);
  const colours = new Map(comparison.methods.map(({ method }, i) => [method, `c${(i % COLOURS) + 1}`]));
  const methods = ranked(comparison, metrics[0]);
  const plotted = (method: ComparedMethod): PlottedMethod => ({
    title: method.title,
    colour: colours.get(method.method)!,
  });
  const good = dataset.classes.reduce((sum, one) => sum + one.train, 0);
  const tests = dataset.classes.reduce((sum, one) => sum + one.good + one.defective, 0);
  const backgrounds = gallery
    .map(({ picture }, i) => `.photo-${i} { background-image: url("${picture}"); }`)
    .join("\n");
  const facts = [
    ["Made", new Date(created).toISOString().slice(0, 16).replace("T", " ") + " UTC"],
    ["Adapter", adapter],
    ["Images", `${good} good to learn from, ${tests} to test`],
    ["Seeds", seeds.join(", ")],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy([script])}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${PAGE_STYLE}
${ownStyle}
${backgrounds}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="page-head">
  <p class="kicker">bigrid &middot; comparison of methods</p>
  <h1>${title}</h1>
  ${conclusions(comparison)
    .map((sentence) => `<p class="lead">${escapedText(sentence)}</p>`)
    .join("\n  ")}
  <dl class="facts">${facts.map(([name, value]) => `<div><dt>${name!}</dt><dd>${escapedText(value!)}</dd></div>`).join("")}</dl>
</header>
<nav class="contents" aria-label="Sections">
  <a href="#figures">Figures</a><a href="#plots">Plots</a>${gallery.length > 0 ? '<a href="#worst">Worst images</a>' : ""}<a href="#methods">Methods</a><a href="#setup">Set-up</a><a href="#reading">How to read</a>
</nav>
<main id="content">
${figuresSection(comparison, methods, metrics)}
${plotsSection(comparison, methods, metrics, plotted)}
${gallerySection(gallery, methods)}
${methodsSection(methods)}
${setupSection(comparison)}
${READING}
</main>
<footer class="page-foot"><p>Made by bigrid. This file is complete in itself and asks the network for nothing.</p></footer>
<script>${script}</script>
</body>
</html>
`;
}

const hundred = (value: number): number => 100 * value;

function plottedValue({ value, interval, seeds }: Figure): PlottedValue | null {
  if (value === null) return null;
  const known = seeds.filter((seed) => seed !== null).map(hundred);
  return { value: hundred(value), interval: interval && [hundred(interval[0]), hundred(interval[1])], seeds: known };
}

function plotsSection(
  { dataset }: Comparison,
  methods: readonly ComparedMethod[],
  metrics: readonly MetricName[],
  plotted: (method: ComparedMethod) => PlottedMethod,
): string {
  const measured = methods.filter(({ mean }) => mean);
  const dots = metrics.map((name) =>
    dotPlot(
      metricName(name),
      measured.map((method) => ({ method: plotted(method), figure: plottedValue(method.mean![name]) })),
    ),
  );
  const accuracies = metrics.filter((name) => name === "imageAuroc" || name === "pixelAp");
  const scatter = (title: string, note: string, name: MetricName, cost: CostColumn) => {
    const points = measured.flatMap((method): ScatterPoint[] => {
      const y = plottedValue(method.mean![name]);
      return y ? [{ method: plotted(method), x: cost.valueOf(method.costs!), y }] : [];
    });
    return points.length > 0 ? scatterPlot(title, note, points, cost) : "";
  };
  const scatters = accuracies.flatMap((name) => [
    scatter(`Speed and ${metricName(name)}`, "Images inspected in a second; up and right is better", name, RATE),
    scatter(`Training and ${metricName(name)}`, "Time to train; up and left is better", name, TRAINING),
  ]);
  const mean = dataset.classes.length > 1 ? ` Means of ${dataset.classes.length} classes.` : "";
  return `<section id="plots" aria-labelledby="plots-title">
  <h2 id="plots-title">Plots</h2>
  <p class="intro">Points with 95 % intervals, which say how far other test images of the same kind could move them; strokes are single seeds.${mean}</p>
  <div class="plots">${dots.join("")}</div>
  <h3>Speed against accuracy</h3>
  <div class="plots two">${scatters.join("")}</div>
</section>`;
}

function gallerySection(gallery: readonly GalleryImage[], methods: readonly ComparedMethod[]): string {
  if (gallery.length === 0) return "";
  const order = methods.map(({ method }) => method);
  const titles = new Map(methods.map(({ method, title }) => [method, title]));
  const subjects = gallery.map(({ className, path, defect, defective, aspect, contour, views }, i) => {
    const frame = (inner: string, label: string): string =>
      `<div class="frame photo-${i}" style="aspect-ratio:${aspect.toFixed(3)}" role="img" aria-label="${escapedText(label)}">${inner}</div>`;
    const layer = (url: string): string => `<img src="${url}" alt="">`;
    const name = `${className}, ${defect}`;
    const photograph = `<figure class="view">${frame(contour ? layer(contour) : "", `${name}: photograph${contour ? ", with the true outline" : ""}`)}<figcaption><b>Photograph</b><span>${defective ? (contour ? "defect outlined" : "defective") : "good"}</span></figcaption></figure>`;
    const seen = [...views]
      .sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method))
      .map((view) => {
        const title = titles.get(view.method)!;
        const verdict = verdictOf(defective, view);
        return `<figure class="view${view.worst ? " is-worst" : ""}">${frame(layer(view.heat), `${name}, as ${title} sees it: ${verdict.words}${view.worst ? ", one of its worst" : ""}`)}<figcaption><b>${escapedText(title)}</b><span${verdict.isWrong ? ' class="verdict is-wrong"' : ""}>${verdict.words}, ${view.score.toFixed(2)}</span></figcaption></figure>`;
      });
    return `<li class="subject"><h3>${escapedText(name)} <span>${escapedText(path)}</span></h3><div class="views">${photograph}${seen.join("")}</div></li>`;
  });
  return `<section id="worst" aria-labelledby="worst-title">
  <h2 id="worst-title">Worst images</h2>
  <p class="intro">The images that each method judges worst, side by side: framed in red for the methods whose worst ones they are.
    Numbers are calibrated scores; above 0.5 an image is called defective. Heat is on each model's own scale.</p>
  <ol class="subjects">${subjects.join("\n")}</ol>
</section>`;
}

function verdictOf(defective: boolean, { score }: View): { readonly words: string; readonly isWrong: boolean } {
  const isRejected = score > REJECTED;
  if (defective) return isRejected ? { words: "caught", isWrong: false } : { words: "missed", isWrong: true };
  return isRejected ? { words: "false reject", isWrong: true } : { words: "passed", isWrong: false };
}

function methodsSection(methods: readonly ComparedMethod[]): string {
  const rows = methods.map(({ title, method, source, suits, run, seeds, failures }) => {
    const lines = [
      `It suits ${suits}.`,
      ...(run === null ? [] : [`Model of seed ${seeds[0]!}: ${run}, for bigrid predict and eval.`]),
      ...failures.map(({ seed, reason }) => `${seed === null ? "Failed" : `Seed ${seed} failed`}: ${reason}`),
    ];
    return `<div><dt>${escapedText(title)} <span class="soft">${escapedText(method)} &middot; ${escapedText(source)}</span></dt>${lines.map((line) => `<dd>${escapedText(line)}</dd>`).join("")}</div>`;
  });
  return `<section id="methods" aria-labelledby="methods-title">
  <h2 id="methods-title">Methods</h2>
  <dl class="choices">${rows.join("")}</dl>
</section>`;
}

/** Options of all methods, and below them those of each that differ between methods. */
function setupSection({ bigrid, adapter, dataset, resamples, seeds, methods }: Comparison): string {
  const text = (value: unknown): string => {
    if (value === null) return "-";
    if (Array.isArray(value)) return value.join(", ");
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  const [first] = methods;
  const isShared = ([name, value]: readonly [string, unknown]): boolean =>
    methods.every(({ options }) => Object.hasOwn(options, name) && text(options[name]) === text(value));
  const shared = Object.entries(first?.options ?? {}).filter(isShared);
  const names = new Set(shared.map(([name]) => name));
  const rows: (readonly [string, string])[] = [
    ["bigrid", bigrid],
    ["Adapter", adapter],
    ["Dataset", `${dataset.name}, read as ${dataset.format}`],
    ["Seeds", seeds.join(", ")],
    ["Resamples", String(resamples)],
    ...shared.map(([name, value]) => [name, text(value)] as const),
    ...methods.map(({ title, options }): [string, string] => [
      title,
      Object.entries(options)
        .filter(([name]) => !names.has(name) && name !== "method")
        .map(([name, value]) => `${name} ${text(value)}`)
        .join("; "),
    ]),
  ];
  return `<section id="setup" aria-labelledby="setup-title">
  <h2 id="setup-title">Set-up</h2>
  <dl class="setup">${rows.map(([name, value]) => `<div><dt>${escapedText(name)}</dt><dd>${escapedText(value)}</dd></div>`).join("")}</dl>
</section>`;
}

const READING = `<section id="reading" aria-labelledby="reading-title">
  <h2 id="reading-title">How to read this page</h2>
  <dl class="setup prose">
    <div><dt>Image AUROC</dt><dd>How often a defective image scores higher than a good one. Guessing gives 50.</dd></div>
    <div><dt>Pixel AUROC</dt><dd>The same of pixels. Defects are small, so that it is close to 100 for most methods: look at AP.</dd></div>
    <div><dt>AP</dt><dd>Average precision: how much of what is marked is a defect, as more and more of the defects are found.</dd></div>
    <div><dt>F1-max</dt><dd>The best balance of precision and recall that any single threshold reaches.</dd></div>
    <div><dt>AUPRO</dt><dd>How much of each defect is covered, a small one counting as much as a large one, while at most 30&nbsp;% of the
      normal pixels are marked.</dd></div>
    <div><dt>Intervals</dt><dd>95&nbsp;%, by bootstrap: the test images are resampled with replacement, good and defective ones separately.</dd></div>
    <div><dt>Level</dt><dd>Two methods are measured on the same resamples. Where the interval of their difference reaches 0, these test images
      do not tell them apart, though their own intervals may hardly overlap or overlap widely.</dd></div>
    <div><dt>Training</dt><dd>The time that bigrid train takes: features of the good images, fitting, and setting the threshold. Median over seeds.</dd></div>
    <div><dt>Images/s</dt><dd>Photographs inspected in a second, once they are decoded, four at a time: the fastest that was seen.</dd></div>
    <div><dt>Memory</dt><dd>On the GPU at most, by a dry run: to train, with the features of the good images, and to inspect one
      photograph.</dd></div>
    <div><dt>Model</dt><dd>Size of the model's file, without the backbone's weights.</dd></div>
    <div><dt>A hyphen</dt><dd>The figure is undefined: there were no defective images, or no masks.</dd></div>
  </dl>
</section>`;
