// ---- Data and state

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
