// ---- Scores

const MARK = 4.5;
const LANE = 46;
const MOST_MARKS = 250; // of a lane: more are drawn as a histogram
const BAR = 4;
const sampleOf = new Map(
  data.samples.map((sample) => [JSON.stringify([sample.className, sample.defect, sample.image]), sample]),
);

/** Moves marks of one lane up and down until none covers another; where the lane is full they overlap. */
function swarm(points, limit) {
  const placed = [];
  for (const point of points) {
    // The points come sorted: only the last few can be close.
    const close = [];
    for (let i = placed.length - 1; i >= 0 && point.x - placed[i].x < 2 * MARK; i--) close.push(placed[i]);
    const free = (offset) =>
      close.every((other) => (point.x - other.x) ** 2 + (offset - other.offset) ** 2 >= (2 * MARK) ** 2);
    let offset = 0;
    for (let step = 0; step <= limit; step++) {
      if (free(step)) {
        offset = step;
        break;
      }
      if (free(-step)) {
        offset = -step;
        break;
      }
    }
    placed.push({ ...point, offset });
  }
  return placed;
}

function scoreChart(name, box) {
  const scores = data.scores.filter((s) => s.className === name).sort((a, b) => a.score - b.score);
  let marks = [];

  const drawZone = (plot) => {
    const { ctx, bbox } = plot;
    const at = Math.min(Math.max(plot.valToPos(state.threshold, "x", true), bbox.left), bbox.left + bbox.width);
    // uPlot remembers the styles that it has set and does not set them again: every drawing here restores what it
    // found.
    ctx.save();
    ctx.fillStyle = colour("--zone");
    ctx.fillRect(at, bbox.top, bbox.left + bbox.width - at, bbox.height);
    ctx.restore();
  };
  /** A histogram, for lanes of too many scores to tell apart; it has no marks. */
  const drawBars = (plot, kind, defective) => {
    const { ctx } = plot;
    const unit = dots();
    const counts = new Map();
    for (const { score } of kind) {
      const bar = Math.floor(plot.valToPos(score, "x", true) / unit / BAR);
      counts.set(bar, (counts.get(bar) ?? 0) + 1);
    }
    const highest = [...counts.values()].reduce((a, b) => Math.max(a, b));
    const bottom = plot.valToPos(defective ? 1 : 0, "y", true) / unit - 1;
    ctx.save();
    ctx.scale(unit, unit);
    ctx.fillStyle = colour(defective ? "--defective" : "--good");
    for (const [bar, count] of counts) {
      const height = Math.max((count / highest) * (LANE - 6), 1);
      ctx.fillRect(bar * BAR, bottom - height, BAR - 1, height);
    }
    ctx.restore();
    return [];
  };
  const drawMarks = (plot) => {
    const { ctx, bbox } = plot;
    const unit = dots();
    const lane = (defective) => {
      const kind = scores.filter((s) => s.defective === defective);
      if (kind.length > MOST_MARKS) return drawBars(plot, kind, defective);
      const points = kind.map((score) => ({ score, x: plot.valToPos(score.score, "x", true) / unit }));
      const middle = plot.valToPos(defective ? 1.5 : 0.5, "y", true) / unit;
      return swarm(points, LANE / 2 - MARK - 1).map((point) => ({ ...point, y: middle + point.offset }));
    };
    const all = [...lane(false), ...lane(true)];
    ctx.save();
    ctx.scale(unit, unit);
    for (const { score, x, y } of all) {
      const path = new Path2D();
      const radius = score.defective ? MARK + 0.8 : MARK;
      if (score.defective) {
        for (const [dx, dy] of [
          [0, -1],
          [1, 0],
          [0, 1],
          [-1, 0],
        ])
          path.lineTo(x + dx * radius, y + dy * radius);
        path.closePath();
      } else {
        path.arc(x, y, radius - 0.5, 0, 2 * Math.PI);
      }
      const { wrong } = verdictOf(score);
      ctx.globalAlpha = wrong ? 1 : 0.8;
      ctx.fillStyle = colour(score.defective ? "--defective" : "--good");
      ctx.fill(path);
      ctx.globalAlpha = 1;
      if (!wrong) continue;
      ctx.strokeStyle = colour("--ink");
      ctx.lineWidth = 1.75;
      ctx.beginPath();
      ctx.arc(x, y, MARK + 2.5, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.fillStyle = colour("--ink");
    ctx.fillRect(plot.valToPos(state.threshold, "x", true) / unit - 1, bbox.top / unit, 2, bbox.height / unit);
    ctx.restore();
    marks = all.map(({ score, x, y }) => ({ score, x: x - bbox.left / unit, y: y - bbox.top / unit }));
  };

  const axisSize = parseInt(colour("--axis"), 10);
  return addChart(box, {
    height: () => 2 * LANE + 32,
    series: [
      [scoreBounds.low, scoreBounds.high],
      [null, null],
    ],
    options: () => ({
      padding: [px(4), px(parseInt(colour("--chart-end"), 10)), 0, 0],
      scales: { x: { time: false, range: () => [scoreBounds.low, scoreBounds.high] }, y: { range: () => [0, 2] } },
      axes: [
        axis({ size: px(26), space: px(70) }),
        axis({
          size: px(axisSize),
          splits: () => [0.5, 1.5],
          values: () => ["good", "defective"],
          grid: { show: false },
        }),
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: { drawClear: [drawZone], draw: [drawMarks] },
    }),
    near(_, x, y) {
      const distance = (mark) => Math.hypot(mark.x - x, mark.y - y);
      const mark = marks.reduce((best, next) => (best === null || distance(next) < distance(best) ? next : best), null);
      if (mark === null || distance(mark) > 14) return null;
      const { score } = mark;
      const sample = sampleOf.get(JSON.stringify([score.className, score.defect, score.image]));
      return {
        x: mark.x,
        y: mark.y,
        text: `${defectText(score)}, ${placeText(score)}\nscore ${scoreText(score.score)}, ${verdictOf(score).text}`,
        ...(sample === undefined ? {} : { open: () => openViewer(sample) }),
      };
    },
  });
}

const rangeWords = (scores) => {
  if (scores.length === 0) return "none";
  const { 0: first, length, [length - 1]: last } = scores.map((s) => s.score).sort((a, b) => a - b);
  return `${length} from ${scoreText(first)} to ${scoreText(last)}`;
};

const scoreRows = classNames.map((name) => {
  const scores = data.scores.filter((s) => s.className === name);
  const row = stamp("score-row", { name, words: "" });
  byId("score-rows").append(row);
  row.querySelector(".score-head").hidden = !severalClasses;
  return { name, scores, row, chart: scoreChart(name, row.querySelector(".chart")) };
});

const scoreLines = [...data.scores]
  .sort((a, b) => b.score - a.score || byName(a, b))
  .map((score) => {
    const line = element("tr", "");
    const verdict = element("td", "");
    line.append(element("td", score.className), element("td", score.image), element("td", defectText(score)));
    line.append(element("td", scoreText(score.score), { class: "n" }), verdict);
    return { score, line, verdict };
  });
byId("score-table").tBodies[0].append(...scoreLines.map(({ line }) => line));
