import { METRIC_TITLES, type MetricName } from "../../../metrics/metrics.ts";
import { escapedText } from "../../report/html.ts";
import type { Comparison, ComparedMethod, Figure, Figures } from "../comparison.ts";
import { COSTS, intervalShown, metricName, percentShown } from "../words.ts";

const MEAN = "mean";

/** A part of the table: the mean, or a class. */
interface Part {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly figuresOf: (method: ComparedMethod) => Figures | null;
}

/** The table of all figures and costs, in parts: the mean, and each class. */
export function figuresSection(
  comparison: Comparison,
  methods: readonly ComparedMethod[],
  metrics: readonly MetricName[],
): string {
  const { dataset, resamples, seeds, pixelError } = comparison;
  const { classes } = dataset;
  const parts: Part[] = classes.map(({ name, train, good, defective, gap }, i) => ({
    id: String(i),
    title: name,
    note: `${train} good images to learn from, ${good} good and ${defective} defective to test${gap === null ? "" : `; ${gap}`}`,
    figuresOf: ({ classes: own }) => own?.[name] ?? null,
  }));
  if (parts.length > 1) {
    const title = `Mean of ${parts.length} classes`;
    parts.unshift({ id: MEAN, title, note: "each class counts the same", figuresOf: ({ mean }) => mean });
  }
  const [imageMetrics, pixelMetrics] = ["image", "pixel"].map((kind) =>
    metrics.filter((name) => name.startsWith(kind)),
  );
  const group = (title: string, count: number): string =>
    count === 0 ? "" : `<th scope="colgroup" colspan="${count}" class="group">${title}</th>`;
  const times = COSTS.filter(({ group }) => group === "Time");
  const firsts: readonly (string | undefined)[] = [
    imageMetrics![0],
    pixelMetrics![0],
    COSTS[0]!.title,
    COSTS[times.length]!.title,
  ];
  const head = (
    title: string,
    name: string,
    first: "ascending" | "descending",
    isSorted: boolean,
    starts: boolean,
  ): string =>
    `<th scope="col" class="n${starts ? " first" : ""}" aria-sort="${isSorted ? first : "none"}" data-first="${first}" data-name="${name}"><button type="button">${title}<i aria-hidden="true"></i></button></th>`;
  const short = (name: MetricName): string => METRIC_TITLES[name].replace(/^\w+ /, "");
  const options = [...parts.map(({ id, title }) => [id, title] as const), ["all", "All of them"] as const];
  const several = seeds.length > 1 ? `, means over ${seeds.length} seeds` : "";
  const notes = [
    `In percent${several}. Bold: the best of a column, and those that are level with it on these images.`,
    ...(resamples > 0 ? ["Small figures: 95 % confidence intervals, by bootstrap over the test images."] : []),
    ...(seeds.length > 1 ? ["After the plus-minus sign: standard deviation over seeds."] : []),
    ...(pixelError > 0 ? [`Pixel metrics were streamed: at most ${pixelError.toExponential(1)} from exact.`] : []),
    ...(dataset.skipped > 0 ? [`${dataset.skipped} test images could not be used.`] : []),
  ];
  return `<section id="figures" aria-labelledby="figures-title">
  <h2 id="figures-title">Figures</h2>
  <p class="intro">Press a column's title to sort by it.</p>
  ${
    parts.length > 1
      ? `<div class="toolbar" hidden><label class="field">Class <select id="class-choice">${options
          .map(([value, title]) => `<option value="${value}">${escapedText(title)}</option>`)
          .join("")}</select></label></div>`
      : ""
  }
  <p class="hidden-text" id="sorted" role="status"></p>
  <div class="scroller" tabindex="0" role="region" aria-labelledby="figures-title">
  <table id="results">
    <thead>
      <tr><td></td>${group("Image", imageMetrics!.length)}${group("Pixel", pixelMetrics!.length)}${group("Time", times.length)}${group("Memory", COSTS.length - times.length)}</tr>
      <tr><th scope="col" aria-sort="none" data-first="ascending" data-name="method"><button type="button">Method<i aria-hidden="true"></i></button></th>${metrics
        .map((name, i) => head(short(name), metricName(name), "descending", i === 0, firsts.includes(name)))
        .join("")}${COSTS.map(({ title, name, isBetterHigh }) =>
        head(title, name, isBetterHigh ? "descending" : "ascending", false, firsts.includes(title)),
      ).join("")}</tr>
    </thead>
    ${parts.map((part) => tablePart(part, methods, metrics, firsts, parts.length > 1)).join("\n    ")}
  </table>
  </div>
  <ul class="notes">${notes.map((note) => `<li>${escapedText(note)}</li>`).join("")}</ul>
</section>`;
}

function tablePart(
  { id, title, note, figuresOf }: Part,
  methods: readonly ComparedMethod[],
  metrics: readonly MetricName[],
  firsts: readonly (string | undefined)[],
  isTitled: boolean,
): string {
  const columns = metrics.length + COSTS.length;
  const rows = methods.map((method) => {
    const { costs, failures } = method;
    const name = `<th scope="row" data-value="${escapedText(method.title)}">${escapedText(method.title)}${failures
      .filter(({ seed }) => seed !== null && costs)
      .map(({ seed }) => `<small>seed ${seed!} failed</small>`)
      .join("")}</th>`;
    const figures = figuresOf(method);
    if (!figures || !costs) {
      const [failure] = failures;
      return `<tr>${name}<td colspan="${columns}" class="reason">failed: ${escapedText(failure?.reason ?? "nothing was measured")}</td></tr>`;
    }
    const cells = metrics.map((metric) => metricCell(figures[metric], firsts.includes(metric)));
    const prices = COSTS.map(
      ({ title, valueOf, shown }) =>
        `<td class="n${firsts.includes(title) ? " first" : ""}" data-value="${valueOf(costs)}">${shown(valueOf(costs))}</td>`,
    );
    return `<tr>${name}${cells.join("")}${prices.join("")}</tr>`;
  });
  const head = isTitled
    ? `<tr class="part"><th scope="rowgroup" colspan="${columns + 1}">${escapedText(title)} <span>${escapedText(note)}</span></th></tr>`
    : "";
  return `<tbody data-part="${id}">${head}${rows.join("")}</tbody>`;
}

function metricCell({ value, std, interval, best }: Figure, starts: boolean): string {
  const shown = percentShown(value);
  const spread = std === null ? "" : ` <small>&plusmn; ${percentShown(std)}</small>`;
  const range = interval ? `<small>${intervalShown(interval)}</small>` : "";
  const data = value === null ? "" : ` data-value="${value}"`;
  return `<td class="n${starts ? " first" : ""}"${data}>${best ? `<b>${shown}</b>` : shown}${range}${spread}</td>`;
}
