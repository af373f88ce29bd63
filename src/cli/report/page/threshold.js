// ---- Threshold

const share = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "-");
const OUTCOMES = [
  { name: "Defects caught", value: (o) => o.caught, note: (o) => `of ${o.caught + o.missed}` },
  { name: "Defects missed", value: (o) => o.missed, note: (o) => `of ${o.caught + o.missed}`, wrong: true },
  { name: "Good passed", value: (o) => o.passed, note: (o) => `of ${o.passed + o.falseRejects}` },
  {
    name: "False rejects",
    value: (o) => o.falseRejects,
    note: (o) => `of ${o.passed + o.falseRejects}`,
    wrong: true,
  },
  { name: "Recall", value: (o) => share(o.caught, o.caught + o.missed), note: () => "of the defects are caught" },
  {
    name: "Precision",
    value: (o) => share(o.caught, o.caught + o.falseRejects),
    note: () => "of the rejected are defective",
  },
  {
    name: "F1",
    value: (o) => share(2 * o.caught, 2 * o.caught + o.missed + o.falseRejects),
    note: () => "both of these in one",
  },
  {
    name: "False reject rate",
    value: (o) => share(o.falseRejects, o.passed + o.falseRejects),
    note: () => "of the good are rejected",
  },
];

function drawOutcomes() {
  const [now, own] = [outcomesAt(state.threshold), outcomesAt(data.threshold)];
  byId("outcomes").replaceChildren(
    ...OUTCOMES.map(({ name, value, note, wrong }) => {
      const before = value(own) === value(now) ? "" : `; ${value(own)} at the model's own`;
      const tile = stamp("outcome", { name, value: String(value(now)), note: note(now) + before });
      tile.classList.toggle("is-wrong", wrong === true && value(now) > 0);
      return tile;
    }),
  );
}

const range = byId("threshold-range");
const step = 10 ** Math.floor(Math.log10((scoreBounds.high - scoreBounds.low) / 200));
range.min = scoreBounds.low;
range.max = scoreBounds.high;
range.step = "any";
range.value = state.threshold;

function drawThreshold() {
  const words = outcomeWords(data.scores);
  const own = state.threshold === data.threshold;
  byId("threshold-value").textContent = scoreText(state.threshold);
  byId("threshold-words").textContent = words;
  byId("threshold-origin").textContent = own
    ? "the model's own"
    : `the model's own is ${scoreText(data.threshold)}; predict ${severalClasses ? "--class NAME " : ""}--threshold ${scoreText(state.threshold)} uses this one`;
  byId("threshold-reset").hidden = own;
  range.value = state.threshold;
  range.setAttribute("aria-valuetext", `${scoreText(state.threshold)}: ${words}`);
  for (const { name, scores, row, chart } of scoreRows) {
    row.querySelector("[data-slot=words]").textContent = outcomeWords(scores);
    const kinds = [true, false].map((defective) => rangeWords(scores.filter((s) => s.defective === defective)));
    const outcome = `At threshold ${scoreText(state.threshold)} the model ${outcomeWords(scores)}.`;
    row
      .querySelector(".chart")
      .setAttribute("aria-label", `Scores of ${name}. Defective: ${kinds[0]}. Good: ${kinds[1]}. ${outcome}`);
    chart.redraw();
  }
  for (const { score, verdict } of scoreLines) {
    const { text, wrong } = verdictOf(score);
    if (verdict.textContent === text) continue;
    const label = element("span", text, { class: wrong ? "verdict is-wrong" : "verdict" });
    verdict.replaceChildren(label);
  }
  drawOutcomes();
  for (const chart of imageCharts) chart.redraw();
  drawGallery();
}

function moveThreshold(threshold) {
  state.threshold = Math.min(Math.max(threshold, scoreBounds.low), scoreBounds.high);
  drawThreshold();
}
range.addEventListener("input", () => moveThreshold(Number(range.value)));
// With step "any" browsers disagree about the arrow keys: one round step here, ten with Page Up and Page Down.
range.addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
  if (steps === undefined) return;
  event.preventDefault();
  moveThreshold(state.threshold + steps * step);
});
byId("threshold-reset").addEventListener("click", () => {
  moveThreshold(data.threshold);
  range.focus();
});
