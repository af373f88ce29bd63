"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const text = byId("report-data").textContent;
  const unseen = new RegExp(JSON.parse(text).unseen, "gu");
  const escapes = (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  // Names are shown as in the terminal: what could not be seen in them is written out.
  const data = JSON.parse(text, (_, value) =>
    typeof value === "string" && !value.startsWith("data:") ? value.replace(unseen, escapes) : value,
  );
  const root = document.documentElement;

  const classNames = [...new Set([...data.classes.map((c) => c.name), ...data.scores.map((s) => s.className)])];
  const severalClasses = classNames.length > 1;

  // All that the reader can change. Everything drawn is a function of the data and of this.
  const state = {
    threshold: data.threshold,
    filter: "all",
    className: "",
    order: "extremes",
    overlay: 80,
    contour: true,
    found: true,
    complete: false,
  };

  // ---- Words and numbers

  const METRICS = ["imageAuroc", "imageAp", "imageF1Max", "pixelAuroc", "pixelAp", "pixelF1Max", "pixelAupro"];

  /** Three decimals; "1.000" is kept for what is exactly 1. */
  const metricText = (value) => {
    if (value === null) return "-";
    return value < 1 && value >= 0.9995 ? ">0.999" : value.toFixed(3);
  };
  const intervalText = (interval) =>
    interval === null ? "" : interval.map((end) => end.toFixed(3)).join("\u2009\u2013\u2009");

  const scoreBounds = boundsOf([...data.scores.map((s) => s.score), data.threshold]);
  const scoreDecimals = Math.min(Math.max(2 - Math.floor(Math.log10((scoreBounds.high - scoreBounds.low) / 2)), 0), 8);
  const scoreText = (score) => score.toFixed(scoreDecimals);

  /** The range of values with a margin; never empty. */
  function boundsOf(values) {
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const margin = high > low ? 0.04 * (high - low) : Math.max(Math.abs(high) * 0.1, 1e-6);
    return { low: low - margin, high: high + margin };
  }

  const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;
  const percent = (value) => `${(100 * value).toFixed(value > 0 && value < 0.01 ? 2 : 0)} %`;
  const sum = (values) => values.reduce((a, b) => a + b, 0);

  function durationText(seconds) {
    if (seconds < 1) return `${Math.round(1000 * seconds)} ms`;
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    if (seconds < 60) return `${Math.round(seconds)} s`;
    const whole = Math.round(seconds);
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
  }

  function dateText(iso) {
    const date = new Date(iso);
    if (Number.isNaN(date.getTime())) return iso;
    return `${date.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" })} UTC`;
  }

  const isRejected = ({ score }) => score > state.threshold;

  function verdictOf(sample) {
    const rejected = isRejected(sample);
    if (sample.defective) return rejected ? { text: "caught", wrong: false } : { text: "missed", wrong: true };
    return rejected ? { text: "false reject", wrong: true } : { text: "passed", wrong: false };
  }

  /** "catches 11 of 12 defects, rejects 1 of 8 good images" */
  function outcomeWords(scores, joint = ", ") {
    const defects = scores.filter((s) => s.defective);
    const good = scores.filter((s) => !s.defective);
    const rejected = (list) => list.filter(isRejected).length;
    const part = (list, verb, one, many) =>
      list.length > 0 ? `${verb} ${rejected(list)} of ${counted(list.length, one, many)}` : null;
    return (
      (part(defects, "catches", "defect", "defects") ?? "has no defects to catch") +
      joint +
      (part(good, "rejects", "good image", "good images") ?? "has no good images to reject")
    );
  }

  /** How many images are judged how at a threshold. */
  function outcomesAt(threshold) {
    const count = (defective, rejected) =>
      data.scores.filter((s) => s.defective === defective && s.score > threshold === rejected).length;
    return {
      caught: count(true, true),
      missed: count(true, false),
      passed: count(false, false),
      falseRejects: count(false, true),
    };
  }

  const defectText = (sample) => (sample.defective ? sample.defect : "good");
  /** Where an image belongs; a folder that repeats the defect's name is left out. */
  const placeText = ({ className, defect, image }) =>
    (severalClasses ? `${className} / ` : "") +
    (image.startsWith(`${defect}/`) ? image.slice(defect.length + 1) : image);

  // ---- Elements

  /** A copy of a template with its slots filled, as text. */
  function stamp(id, texts) {
    const element = byId(id).content.firstElementChild.cloneNode(true);
    for (const slot of element.querySelectorAll("[data-slot]")) slot.textContent = texts[slot.dataset.slot] ?? "";
    return element;
  }

  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function picture(source, name, alt) {
    const image = element("img", "", { class: name, alt, decoding: "async", draggable: "false" });
    image.src = source;
    return image;
  }

  /**
   * The three layers of a sample. What the picture is stands beside it or in the button's name: the layers need no alt
   * text twice.
   */
  function layersOf(sample, alt) {
    const layers = [picture(sample.picture, "picture", alt), picture(sample.heat, "heat", "")];
    if (sample.contour !== null) layers.push(picture(sample.contour, "contour", ""));
    layers.push(foundLayer(sample));
    return sheetOf(sample, layers);
  }

  /** Layers on top of each other, in the photograph's shape, in the middle of a square frame. */
  function sheetOf({ aspect }, layers) {
    const sheet = element("span", "", { class: "sheet" });
    const [width, height] = [Math.min(1, aspect), Math.min(1, 1 / aspect)];
    Object.assign(sheet.style, {
      width: `${100 * width}%`,
      height: `${100 * height}%`,
      left: `${50 * (1 - width)}%`,
      top: `${50 * (1 - height)}%`,
    });
    sheet.append(...layers);
    return sheet;
  }

  // ---- Outlines of what exceeds the threshold

  const classOf = new Map(data.classes.map((c) => [c.name, c]));
  /** The maps of samples in 8 bits, as soon as they are decoded. */
  const mapOf = new Map();
  const foundSamples = new Map();

  function foundLayer(sample) {
    const layer = stamp("found", {});
    foundSamples.set(layer, sample);
    return layer;
  }

  /** The pixel threshold in levels of a class's maps: moved as far as the threshold, on the maps' logarithmic scale. */
  function levelOf(className) {
    const { pixelThreshold, steepness } = classOf.get(className);
    const odds = Math.min(Math.max(state.threshold, 1e-6), 1 - 1e-6);
    const value = pixelThreshold * (odds / (1 - odds)) ** (1 / steepness);
    const [low, high] = data.mapRange;
    return Math.max((255 * Math.log(value / low)) / Math.log(high / low), 0.5);
  }

  function drawFound(layer, sample) {
    const map = mapOf.get(sample);
    if (map === undefined) return;
    layer.setAttribute("viewBox", `0 0 ${map.width} ${map.height}`);
    const line = contourOf(map, levelOf(sample.className));
    for (const path of layer.children) path.setAttribute("d", line);
  }

  /**
   * The lines along which a map has a level, by marching squares between the centres of its pixels; closed at the
   * edges, since outside everything is 0.
   */
  function contourOf({ width, height, levels }, level) {
    const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : levels[y * width + x]);
    const inside = (position, side) => Math.min(Math.max(position + 0.5, 0), side).toFixed(2);
    const parts = [];
    for (let y = -1; y < height; y++) {
      let [topLeft, bottomLeft] = [0, 0];
      for (let x = -1; x < width; x++) {
        const [topRight, bottomRight] = [at(x + 1, y), at(x + 1, y + 1)];
        const corners = [topLeft, topRight, bottomRight, bottomLeft];
        [topLeft, bottomLeft] = [topRight, bottomRight];
        const first = corners[0] > level;
        if (corners[1] > level === first && corners[2] > level === first && corners[3] > level === first) continue;
        const ends = [];
        for (let side = 0; side < 4; side++) {
          const [from, to] = [corners[side], corners[(side + 1) % 4]];
          if (from > level === to > level) continue;
          const way = (level - from) / (to - from);
          const [dx, dy] = [
            [way, 0],
            [1, way],
            [1 - way, 1],
            [0, 1 - way],
          ][side];
          ends.push(`${inside(x + dx, width)} ${inside(y + dy, height)}`);
        }
        // Where opposite corners agree there are two lines: what is above is taken to be apart.
        if (ends.length === 4 && first) ends.unshift(ends.pop());
        for (let i = 0; i < ends.length; i += 2) parts.push(`M${ends[i]}L${ends[i + 1]}`);
      }
    }
    return parts.join("");
  }

  /** Those that are on the page; the others are drawn when they come. */
  function drawFoundLayers() {
    for (const [layer, sample] of foundSamples) if (layer.isConnected) drawFound(layer, sample);
  }

  for (const sample of data.samples) {
    const image = new Image();
    image.src = sample.map;
    image.decode().then(
      () => {
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(image, 0, 0);
        const { width, height, data: rgba } = context.getImageData(0, 0, canvas.width, canvas.height);
        mapOf.set(sample, {
          width,
          height,
          levels: Uint8Array.from({ length: width * height }, (_, i) => rgba[4 * i]),
        });
        drawFoundLayers();
      },
      () => undefined,
    ); // without its map an image has no outline, and all else
  }

  // ---- Head, headline figures, lists

  const trained = sum(data.classes.map((c) => c.train));
  document.title = data.title;
  byId("title").textContent = data.title;
  byId("lead").textContent =
    (trained > 0
      ? `Trained on ${counted(trained, "good image", "good images")} and shown ${counted(data.scores.length, "new one", "new ones")}`
      : `Shown ${counted(data.scores.length, "image", "images")}`) +
    `, the model ${outcomeWords(data.scores, " and ")}.`;
  const perImage = data.seconds.evaluation / Math.max(data.scores.length, 1);
  const facts = [
    ["Made", dateText(data.created)],
    ["Adapter", data.adapter],
    ["Training", data.seconds.training === null ? null : durationText(data.seconds.training)],
    ["Evaluation", `${durationText(data.seconds.evaluation)}, ${durationText(perImage)} an image`],
    ["Images", data.seconds.images === null ? null : `${durationText(data.seconds.images)} to make`],
  ].filter(([, value]) => value !== null);
  byId("facts").append(...facts.map(([name, value]) => stamp("fact", { name, value })));
  const configuration = [...data.configuration, ["Adapter", data.adapter]];
  byId("configuration").append(...configuration.map(([name, value]) => stamp("fact", { name, value })));

  for (const box of document.querySelectorAll("[data-metric]")) {
    box.querySelector(".number").textContent = metricText(data.mean[box.dataset.metric]);
    const interval = intervalText(data.intervals?.[box.dataset.metric] ?? null);
    box.querySelector(".interval").textContent = interval === "" ? "" : `95 %: ${interval}`;
  }
  if (severalClasses) byId("figures-title").textContent = `Headline figures, mean of ${data.classes.length} classes`;

  function metricRow(name, counts, metrics, intervals) {
    const row = element("tr", "");
    row.append(element("th", name, { scope: "row" }));
    for (const metric of METRICS) {
      const cell = element("td", metricText(metrics[metric]), { class: "n" });
      const interval = intervalText(intervals?.[metric] ?? null);
      if (interval !== "") cell.append(element("small", interval));
      row.append(cell);
    }
    row.append(...counts.map((count) => element("td", String(count), { class: "n" })));
    return row;
  }
  byId("class-table").tBodies[0].append(
    ...data.classes.map((c) => metricRow(c.name, [c.train, c.good, c.defective], c.metrics, c.intervals)),
  );
  if (severalClasses) {
    const totals = ["train", "good", "defective"].map((count) => sum(data.classes.map((c) => c[count])));
    byId("class-table").tFoot.append(metricRow("Mean (counts: sum)", totals, data.mean, data.intervals));
  }

  const notes = data.classes.filter(({ gap }) => gap !== null).map(({ name, gap }) => `${name}: ${gap}.`);
  if (data.intervals !== null) notes.push("Small figures: 95 % confidence intervals, by bootstrap over the images.");
  const streamed = data.classes.filter(({ method }) => method === "streaming");
  if (streamed.length > 0) {
    const most = Math.max(...streamed.flatMap(({ errors }) => Object.values(errors).map((error) => error ?? 0)));
    const pixels = sum(streamed.map((c) => c.pixels)).toLocaleString("en");
    notes.push(
      `Pixel metrics of ${streamed.map((c) => c.name).join(", ")} were streamed, ${pixels} pixels: at most ${most.toExponential(1)} from exact.`,
    );
  }
  byId("class-notes").append(...notes.map((text) => element("li", text)));

  // ---- Gallery

  /** Cards before the reader asks for more. */
  const FIRST = 20;
  const galleryForm = byId("gallery-controls");
  const byName = (a, b) => {
    const [left, right] = [a, b].map((sample) => `${sample.className}/${sample.image}`);
    return left < right ? -1 : Number(left > right);
  };
  /** How far an image is on the right side of the model's own threshold: so the order stays while the slider moves. */
  const rightness = ({ defective, score }) => (defective ? score - data.threshold : data.threshold - score);
  const isWrong = ({ defective, score }) => score > data.threshold !== defective;
  const ORDERS = {
    // What was wrongly judged, then the defects that the model felt least sure of, then the good images that it found
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

  /** Where a score lies on the cards' meters; they share the scale of the threshold's slider. */
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

  /** What is shown before the reader asks for more: the first, or the worst and the best. */
  function firstOf(visible) {
    if (state.complete || visible.length <= FIRST) return visible;
    if (state.order !== "extremes") return visible.slice(0, FIRST);
    const best = visible.slice(FIRST / 2).sort((a, b) => ORDERS.best(a.sample, b.sample));
    return [...visible.slice(0, FIRST / 2), ...best.slice(0, FIRST / 2)];
  }

  function galleryWords(count) {
    const at = `at threshold ${scoreText(state.threshold)}`;
    if (shown.length === 0)
      return state.filter === "wrong" ? `No image of the gallery is wrongly judged ${at}.` : "No image to show.";
    const total =
      shown.length === cards.length
        ? counted(cards.length, "image", "images")
        : `${shown.length} of ${cards.length} images`;
    const part = cards.length < data.scores.length ? `, chosen from ${data.scores.length}` : "";
    const ends =
      state.order === "extremes" && count < shown.length
        ? `, here the ${count / 2} worst and the ${count / 2} best`
        : "";
    return `${total}${part}${ends}. Verdicts ${at}; the bars show the score, their tick the threshold.`;
  }

  if (severalClasses)
    galleryForm.elements.class.append(...classNames.map((name) => element("option", name, { value: name })));
  else byId("class-field").hidden = true;
  if (data.samples.every((sample) => sample.contour === null)) {
    byId("outline-note").hidden = true;
    for (const field of document.querySelectorAll("[data-layer=contour-field]")) field.hidden = true;
  }
  document.querySelector(".heat-scale").style.backgroundImage =
    `linear-gradient(to right, ${data.heatScale.join(", ")})`;
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

  // ---- Viewer

  const viewer = byId("viewer");
  let viewed = { list: [], index: 0 };

  function openViewer(sample) {
    // A mark of the score chart may belong to an image that the gallery's filter hides.
    const list = shown.includes(sample) ? shown : [sample];
    viewed = { list, index: list.indexOf(sample) };
    drawViewer();
    viewer.showModal();
  }

  function drawViewer() {
    const { list, index } = viewed;
    const sample = list[index];
    const verdict = verdictOf(sample);
    byId("viewer-title").textContent = `${defectText(sample)}: ${verdict.text}`;
    byId("viewer-text").textContent =
      `${placeText(sample)}, score ${scoreText(sample.score)}, threshold ${scoreText(state.threshold)}`;
    for (const layer of document.querySelectorAll("#viewer .found")) foundSamples.delete(layer);
    byId("viewer-frame").replaceChildren(layersOf(sample, `Photograph ${sample.image} with its heat map`));
    const plain = [picture(sample.picture, "picture", `Photograph ${sample.image}`)];
    if (sample.contour !== null) plain.push(picture(sample.contour, "contour", ""));
    byId("viewer-plain").replaceChildren(sheetOf(sample, plain));
    byId("viewer-mask-note").hidden = sample.contour === null;
    drawFoundLayers();
    byId("viewer-position").textContent = `${index + 1} of ${list.length}`;
    document.querySelector("#viewer .steps").hidden = list.length === 1;
  }

  function stepViewer(by) {
    const count = viewed.list.length;
    viewed.index = (viewed.index + by + count) % count;
    drawViewer();
  }

  byId("viewer-close").addEventListener("click", () => viewer.close());
  byId("viewer-previous").addEventListener("click", () => stepViewer(-1));
  byId("viewer-next").addEventListener("click", () => stepViewer(1));
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement) return;
    if (event.key === "ArrowLeft") stepViewer(-1);
    else if (event.key === "ArrowRight") stepViewer(1);
  });

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

  // ---- Threshold and scores

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
    /** How many scores lie where, for lanes of too many to tell apart; no marks are left. */
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
        const mark = marks.reduce(
          (best, next) => (best === null || distance(next) < distance(best) ? next : best),
          null,
        );
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
      : `the model's own is ${scoreText(data.threshold)}; predict --threshold ${scoreText(state.threshold)} judges by this one`;
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

  /** Where the threshold is on a class's curves of images; null where there is nothing to reject or catch. */
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

  drawLayers();
  drawThreshold();

  // ---- Colour scheme and print

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of charts) chart.redraw();
  });

  function setPrinting(printing) {
    if (root.classList.contains("printing") === printing) return;
    root.classList.toggle("printing", printing);
    printScale = printing ? 3 : 1;
    for (const chart of charts) chart.build();
  }
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
  matchMedia("print").addEventListener("change", (event) => setPrinting(event.matches));
})();
