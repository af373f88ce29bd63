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

/** Counts of the four outcomes at a threshold. */
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
/** An image's class and file; a folder that repeats the defect's name is left out. */
const placeText = ({ className, defect, image }) =>
  (severalClasses ? `${className} / ` : "") + (image.startsWith(`${defect}/`) ? image.slice(defect.length + 1) : image);
