// ---- Charts

// A chart on paper is drawn this many times larger and shown smaller, for sharp print; uPlot itself knows the
// screen's density only.
let printScale = 1;
const charts = [];
const tip = byId("tip");

const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const px = (length) => length * printScale;
/** Device pixels of the canvas in one CSS pixel of the chart. */
const dots = () => uPlot.pxRatio * printScale;
const curveColour = (index) => colour(`--curve-${1 + (index % 8)}`);
const numberText = (value) => (value === null ? "" : String(Number(value.toPrecision(6))));

function axis(more) {
  return {
    stroke: () => colour("--soft"),
    font: `${px(12)}px ${getComputedStyle(document.body).fontFamily}`,
    labelFont: `${px(12)}px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: () => colour("--line"), width: px(1) },
    ticks: { show: false },
    gap: px(6),
    labelSize: px(18),
    labelGap: px(2),
    values: (_, splits) => splits.map(numberText),
    ...more,
  };
}

/**
 * Keeps a uPlot in a box: sized with it, redrawn in the page's colours, rebuilt for print.
 * `near(plot, x, y)` names what lies at a point of the plot, `{ x, y, text, open? }` in CSS pixels, or null.
 */
function addChart(box, { height, options, series, near }) {
  let plot = null;
  let width = 0;
  const size = () => ({ width: px(width), height: px(height(width)) });
  const build = () => {
    if (plot !== null) plot.destroy();
    width = box.clientWidth;
    plot = new uPlot({ legend: { show: false }, cursor: { show: false }, ...options(), ...size() }, series, box);
    box.style.height = `${height(width)}px`;
    plot.over.addEventListener("pointermove", (event) => {
      const hit = near(plot, event.offsetX, event.offsetY);
      plot.over.classList.toggle("can-open", hit?.open !== undefined);
      showTip(hit, plot.over);
    });
    plot.over.addEventListener("pointerleave", () => showTip(null));
    plot.over.addEventListener("click", (event) => near(plot, event.offsetX, event.offsetY)?.open?.());
  };
  build();
  new ResizeObserver(() => {
    if (box.clientWidth === width || box.clientWidth === 0) return;
    width = box.clientWidth;
    box.style.height = `${height(width)}px`;
    plot.setSize(size());
  }).observe(box);
  const chart = { build, redraw: () => plot.redraw(false, false), plot: () => plot };
  charts.push(chart);
  return chart;
}

function showTip(hit, over) {
  tip.hidden = hit === null;
  if (hit === null) return;
  tip.textContent = hit.text;
  const box = over.getBoundingClientRect();
  const left = Math.min(box.left + hit.x + 12, root.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(left, 8) + scrollX}px`;
  tip.style.top = `${box.top + hit.y - tip.offsetHeight - 10 + scrollY}px`;
}
