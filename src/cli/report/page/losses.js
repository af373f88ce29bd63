// ---- Losses

const SMOOTH_FROM = 60;

/** The mean of each value and its neighbours, about a twentieth of the run in all. */
function smoothed(values) {
  const reach = Math.max(Math.round(values.length / 40), 1);
  return values.map((_, i) => {
    const near = values.slice(Math.max(i - reach, 0), i + reach + 1).filter((value) => value !== null);
    return near.length > 0 ? sum(near) / near.length : null;
  });
}

function lossChart({ stage, steps, values }) {
  const figure = stamp("chart", { title: stage, note: counted(values.length, "value", "values") });
  byId("loss-charts").append(figure);
  const box = figure.querySelector(".chart");
  const numbers = values.filter((value) => value !== null);
  if (numbers.length < 2) {
    box.append(element("p", "Too few values for a curve.", { class: "undefined" }));
    return;
  }
  const low = numbers.reduce((a, b) => Math.min(a, b));
  const high = numbers.reduce((a, b) => Math.max(a, b));
  const logarithmic = low > 0 && high / low > 20;
  const smooth = values.length >= SMOOTH_FROM;
  const last = smooth ? smoothed(values).at(-1) : numbers.at(-1);
  figure.querySelector("[data-slot=note]").textContent =
    `from ${numberText(Number(numbers[0].toPrecision(3)))} to ${numberText(Number((last ?? numbers.at(-1)).toPrecision(3)))}` +
    ` in ${counted(steps.at(-1) + (steps[0] === 0 ? 1 : 0), "step", "steps")}${logarithmic ? ", logarithmic scale" : ""}`;
  box.setAttribute("aria-label", `Loss of ${stage}, ${figure.querySelector("[data-slot=note]").textContent}.`);
  const line = (name, width) => ({ stroke: () => colour(name), width: px(width), points: { show: false } });
  // 1, 2, 5, 10 while there is room, else powers of ten.
  const leading = high / low < 200 ? [1, 2, 5] : [1];
  const round = (value) =>
    leading.some((digit) => Math.abs(value / digit / 10 ** Math.round(Math.log10(value / digit)) - 1) < 1e-6);
  const filter = (_, splits) => splits.map((value) => (round(value) ? value : null));
  const decades = { filter, grid: { stroke: () => colour("--line"), width: px(1), filter } };
  addChart(box, {
    height: () => 230,
    series: smooth ? [steps, values, smoothed(values)] : [steps, values],
    options: () => ({
      padding: [px(8), px(18), 0, 0],
      scales: { x: { time: false }, y: logarithmic ? { distr: 3, range: () => [low / 1.2, high * 1.2] } : {} },
      axes: [
        axis({ size: px(24), label: "step", space: px(60) }),
        axis({ size: px(54), space: px(34), ...(logarithmic ? decades : {}) }),
      ],
      series: smooth ? [{}, line("--edge", 1), line("--curve-1", 2)] : [{}, line("--curve-1", 2)],
    }),
    near(plot, atX) {
      const index = plot.posToIdx(atX);
      if (values[index] === null) return null;
      const text = `step ${steps[index]}\nloss ${numberText(Number(values[index].toPrecision(4)))}`;
      return { x: plot.valToPos(steps[index], "x"), y: plot.valToPos(values[index], "y"), text };
    },
  });
}

data.losses.forEach(lossChart);
byId("training-note").textContent =
  data.losses.length === 0
    ? "No losses were recorded."
    : data.losses.some(({ values }) => values.length >= SMOOTH_FROM)
      ? "Thin: the loss of single steps. Thick: its moving average."
      : "Losses of single steps.";
