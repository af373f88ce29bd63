// ---- Gallery

/** Cards before the reader asks for more. */
const FIRST = 20;
const galleryForm = byId("gallery-controls");
const byName = (a, b) => {
  const [left, right] = [a, b].map((sample) => `${sample.className}/${sample.image}`);
  return left < right ? -1 : Number(left > right);
};
/** An image's distance from the model's own threshold, positive on the right side: the order stays while the slider moves. */
const rightness = ({ defective, score }) => (defective ? score - data.threshold : data.threshold - score);
const isWrong = ({ defective, score }) => score > data.threshold !== defective;
const ORDERS = {
  // What was misclassified, then the defects that the model felt least sure of, then the good images that it found
  // most suspicious.
  worst: (a, b) =>
    isWrong(b) - isWrong(a) ||
    (isWrong(a) ? 0 : b.defective - a.defective) ||
    rightness(a) - rightness(b) ||
    byName(a, b),
  best: (a, b) => b.defective - a.defective || rightness(b) - rightness(a) || byName(a, b),
  highest: (a, b) => b.score - a.score || byName(a, b),
};
ORDERS.extremes = ORDERS.worst;
const FILTERS = {
  all: () => true,
  defects: (sample) => sample.defective,
  good: (sample) => !sample.defective,
  wrong: (sample) => verdictOf(sample).wrong,
};

const cards = data.samples.map((sample) => {
  const place = placeText(sample);
  const card = stamp("card", { defect: defectText(sample), place, score: scoreText(sample.score) });
  card.querySelector("[data-slot=place]").title = place;
  const frame = card.querySelector(".frame");
  frame.append(layersOf(sample, ""));
  frame.addEventListener("click", () => openViewer(sample));
  const meter = card.querySelector(".meter");
  meter.classList.toggle("is-defective", sample.defective);
  meter.querySelector(".value").style.width = `${100 * fraction(sample.score)}%`;
  return { sample, card, place };
});

/** A score's place on the cards' meters, which share the scale of the threshold's slider. */
function fraction(score) {
  return Math.min(Math.max((score - scoreBounds.low) / (scoreBounds.high - scoreBounds.low), 0), 1);
}

/** The samples that the gallery shows, in its order. */
let shown = [];

function drawGallery() {
  const inClass = cards.filter(({ sample }) => state.className === "" || sample.className === state.className);
  for (const count of document.querySelectorAll("[data-count]")) {
    count.textContent = inClass.filter(({ sample }) => FILTERS[count.dataset.count](sample)).length;
  }
  const visible = inClass
    .filter(({ sample }) => FILTERS[state.filter](sample))
    .sort((a, b) => ORDERS[state.order](a.sample, b.sample));
  for (const { sample, card, place } of visible) {
    const verdict = verdictOf(sample);
    const label = card.querySelector("[data-slot=verdict]");
    label.textContent = verdict.text;
    label.classList.toggle("is-wrong", verdict.wrong);
    card.querySelector(".limit").style.left = `${100 * fraction(state.threshold)}%`;
    const words = `Enlarge ${place}: ${defectText(sample)}, score ${scoreText(sample.score)}, ${verdict.text}`;
    card.querySelector(".frame").setAttribute("aria-label", words);
  }
  const gallery = byId("gallery");
  const next = firstOf(visible).map(({ card }) => card);
  // Moving the slider seldom changes the list: then the elements stay where they are, and so does the focus.
  if (next.length !== gallery.children.length || next.some((card, i) => gallery.children[i] !== card))
    gallery.replaceChildren(...next);
  drawFoundLayers();
  shown = visible.map(({ sample }) => sample);
  byId("gallery-count").textContent = galleryWords(next.length);
  byId("gallery-more").hidden = next.length === shown.length;
  byId("gallery-more").textContent = `Show all ${shown.length}`;
}

/** The cards before the reader asks for more: the first, or the worst and the best. */
function firstOf(visible) {
  if (state.complete || visible.length <= FIRST) return visible;
  if (state.order !== "extremes") return visible.slice(0, FIRST);
  const best = visible.slice(FIRST / 2).sort((a, b) => ORDERS.best(a.sample, b.sample));
  return [...visible.slice(0, FIRST / 2), ...best.slice(0, FIRST / 2)];
}

function galleryWords(count) {
  const at = `at threshold ${scoreText(state.threshold)}`;
  if (shown.length === 0)
    return state.filter === "wrong" ? `No image of the gallery is misclassified ${at}.` : "No image to show.";
  const total =
    shown.length === cards.length
      ? counted(cards.length, "image", "images")
      : `${shown.length} of ${cards.length} images`;
  const part = cards.length < data.scores.length ? `, chosen from ${data.scores.length}` : "";
  const ends =
    state.order === "extremes" && count < shown.length ? `, here the ${count / 2} worst and the ${count / 2} best` : "";
  return `${total}${part}${ends}. Verdicts ${at}; the bars show the score, their tick the threshold.`;
}

if (severalClasses)
  galleryForm.elements.class.append(...classNames.map((name) => element("option", name, { value: name })));
else byId("class-field").hidden = true;
if (data.samples.every((sample) => sample.contour === null)) {
  byId("outline-note").hidden = true;
  for (const field of document.querySelectorAll("[data-layer=contour-field]")) field.hidden = true;
}
document.querySelector(".heat-scale").style.backgroundImage = `linear-gradient(to right, ${data.heatScale.join(", ")})`;
galleryForm.addEventListener("submit", (event) => event.preventDefault());
galleryForm.addEventListener("change", () => {
  state.filter = galleryForm.elements.filter.value;
  state.className = galleryForm.elements.class.value;
  state.order = galleryForm.elements.order.value;
  drawGallery();
});

byId("gallery-more").addEventListener("click", () => {
  state.complete = true;
  drawGallery();
  byId("gallery").children[FIRST].querySelector("button").focus();
});

function drawLayers() {
  root.style.setProperty("--overlay", state.overlay / 100);
  document.body.classList.toggle("without-contour", !state.contour);
  document.body.classList.toggle("without-found", !state.found);
  for (const range of document.querySelectorAll("[data-layer=overlay]")) {
    range.value = state.overlay;
    range.setAttribute("aria-valuetext", `${state.overlay} %`);
  }
  for (const name of ["contour", "found"])
    for (const box of document.querySelectorAll(`[data-layer=${name}]`)) box.checked = state[name];
}
document.addEventListener("input", ({ target }) => {
  if (target.dataset.layer === "overlay") state.overlay = Number(target.value);
  else if (target.type === "checkbox" && target.dataset.layer in state) state[target.dataset.layer] = target.checked;
  else return;
  drawLayers();
});
