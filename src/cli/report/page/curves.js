// ---- ROC, precision and recall

const CURVES = [
  {
    key: "roc",
    title: "ROC",
    x: "false rejects",
    y: "defects caught",
    metric: "imageAuroc",
    chance: true,
    operating: (o) => [o.fpr, o.recall],
  },
  {
    key: "pr",
    title: "Precision and recall",
    x: "recall",
    y: "precision",
    metric: "imageAp",
    operating: (o) => [o.recall, o.precision],
  },
  { key: "pixelRoc", title: "ROC", x: "false alarms", y: "defect area found", metric: "pixelAuroc", chance: true },
  { key: "pixelPr", title: "Precision and recall", x: "recall", y: "precision", metric: "pixelAp" },
  { key: "pro", title: "PRO", x: "false alarms", y: "overlap by defect", metric: "pixelAupro", most: 0.3 },
];
const hiddenCurves = new Set();
const metricsOf = new Map(data.classes.map((c) => [c.name, c.metrics]));
const curveDash = (index) => (index % 16 < 8 ? [] : [6, 4]);

/** The threshold's place on a class's curves of images. */
function operatingPoint(name) {
  const scores = data.scores.filter((s) => s.className === name);
  const rejected = (list) => list.filter(isRejected).length;
  const [defective, good] = [true, false].map((kind) => scores.filter((s) => s.defective === kind));
  const [caught, wrong] = [rejected(defective), rejected(good)];
  if (caught + wrong === 0) return { fpr: 0, recall: 0, precision: 1 };
  return { fpr: wrong / good.length, recall: caught / defective.length, precision: caught / (caught + wrong) };
}

function curveChart({ key, title, x, y, metric, chance = false, operating = null, most = 1 }) {
  const area = chance ? "AUROC" : key === "pro" ? "AUPRO" : "AP";
  const figure = stamp("chart", {
    title,
    note: `${severalClasses ? "mean " : ""}${area} ${metricText(data.mean[metric])}`,
  });
  const ofPixels = metric.startsWith("pixel");
  byId(ofPixels ? "pixel-curves" : "image-curves").append(figure);
  const box = figure.querySelector(".chart");
  const areas = data.curves.map(({ name }) => `${name} ${metricText(metricsOf.get(name)?.[metric] ?? null)}`);
  box.setAttribute(
    "aria-label",
    `${title} of ${ofPixels ? "pixels" : "images"}, ${y} against ${x}. ${area}: ${areas.join(", ")}.`,
  );
  const lines = data.curves.map((curve) => curve[key]);
  if (lines.every((line) => line.x.length < 2)) {
    const reason = ofPixels ? "No masks, so no curve." : "Needs good and defective images.";
    box.append(element("p", reason, { class: "undefined" }));
    return null;
  }

  // uPlot's own builder wants one rising x for all series; a curve that runs straight up is drawn from its points.
  const path = (line) => (plot) => {
    const stroke = new Path2D();
    line.x.forEach((at, i) => stroke.lineTo(plot.valToPos(at, "x", true), plot.valToPos(line.y[i], "y", true)));
    const clip = new Path2D();
    const { left, top, width, height } = plot.bbox;
    const edge = 2 * dots(); // a line along the border is drawn whole
    clip.rect(left - edge, top - edge, width + 2 * edge, height + 2 * edge);
    return { stroke, fill: null, clip, flags: 1 };
  };
  const drawChance = ({ ctx, bbox }) => {
    ctx.save();
    ctx.strokeStyle = colour("--edge");
    ctx.lineWidth = dots();
    ctx.setLineDash([3 * dots(), 3 * dots()]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, bbox.top + bbox.height);
    ctx.lineTo(bbox.left + bbox.width, bbox.top);
    ctx.stroke();
    ctx.restore();
  };
  const drawOperating = (plot) => {
    const { ctx } = plot;
    const unit = dots();
    ctx.save();
    ctx.scale(unit, unit);
    data.curves.forEach(({ name }, i) => {
      if (lines[i].x.length < 2 || hiddenCurves.has(i)) return;
      const [atX, atY] = operating(operatingPoint(name));
      ctx.beginPath();
      ctx.arc(plot.valToPos(atX, "x", true) / unit, plot.valToPos(atY, "y", true) / unit, 4.5, 0, 2 * Math.PI);
      ctx.fillStyle = curveColour(i);
      ctx.strokeStyle = colour("--paper");
      ctx.lineWidth = 2;
      ctx.fill();
      ctx.stroke();
    });
    ctx.restore();
  };
  const unitScale = (high) => ({ time: false, range: () => [0, high] });
  const splits = (high) => () => [0, high / 4, high / 2, (3 * high) / 4, high];
  const values = (_, at) => at.map((value, i) => (i % 2 === 0 ? String(value) : ""));
  return addChart(box, {
    height: (width) => Math.min(width, 340),
    series: [[0, 1], ...lines.map(() => [0, 1])],
    options: () => ({
      padding: [px(6), px(14), 0, 0],
      scales: { x: unitScale(most), y: unitScale(1) },
      axes: [
        axis({ size: px(24), label: x, splits: splits(most), values }),
        axis({ size: px(30), label: y, splits: splits(1), values }),
      ],
      series: [
        {},
        ...lines.map((line, i) => ({
          show: line.x.length > 1 && !hiddenCurves.has(i),
          stroke: () => curveColour(i),
          dash: curveDash(i).map(px),
          width: px(2),
          paths: path(line),
          points: { show: false },
        })),
      ],
      hooks: { drawClear: chance ? [drawChance] : [], draw: operating ? [drawOperating] : [] },
    }),
    near(plot, atX, atY) {
      let best = null;
      lines.forEach((line, i) => {
        if (hiddenCurves.has(i)) return;
        line.x.forEach((value, k) => {
          const point = { x: plot.valToPos(value, "x"), y: plot.valToPos(line.y[k], "y") };
          const distance = Math.hypot(point.x - atX, point.y - atY);
          if (distance < 24 && (best === null || distance < best.distance)) {
            const name = severalClasses ? `${data.curves[i].name}\n` : "";
            best = { ...point, distance, text: `${name}${x} ${percent(value)}\n${y} ${percent(line.y[k])}` };
          }
        });
      });
      return best;
    },
  });
}

const curveCharts = CURVES.map(curveChart);
const imageCharts = curveCharts.filter((chart, i) => chart !== null && CURVES[i].operating !== undefined);
const legend = byId("curve-legend");
legend.hidden = data.curves.length < 2;
data.curves.forEach(({ name }, index) => {
  const button = stamp("legend-item", { name });
  const swatch = button.querySelector("i");
  swatch.style.borderTopStyle = curveDash(index).length > 0 ? "dashed" : "solid";
  swatch.style.color = `var(--curve-${1 + (index % 8)})`;
  button.addEventListener("click", () => {
    const hide = !hiddenCurves.has(index);
    if (hide) hiddenCurves.add(index);
    else hiddenCurves.delete(index);
    button.setAttribute("aria-pressed", String(!hide));
    for (const chart of curveCharts) chart?.plot().setSeries(index + 1, { show: !hide });
  });
  legend.append(button);
});
