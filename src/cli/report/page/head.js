// ---- Head, headline figures, lists

const trained = sum(data.classes.map((c) => c.train));
document.title = data.title;
byId("title").textContent = data.title;
byId("lead").textContent =
  (trained > 0
    ? `Trained on ${counted(trained, "good image", "good images")} and shown ${counted(data.scores.length, "new one", "new ones")}`
    : `Shown ${counted(data.scores.length, "image", "images")}`) + `, the model ${outcomeWords(data.scores, " and ")}.`;
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
