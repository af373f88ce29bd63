// Metrics of 300 million pixels of one class: time, memory, and the bound of their error.
import { Evaluation } from "../../src/metrics/evaluate.ts";

const [IMAGES, SIDE] = [1200, 500];
const MB = 1e6;

let state = 1;
/** Uniform in (0, 1), by xorshift, since drawing must not cost more than counting. */
function unit(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return ((state >>> 0) + 0.5) / 2 ** 32;
}

/** An image with three defects of 40 x 40 pixels, with somewhat larger values than the rest. */
function drawn(defective: boolean) {
  const mask = new Uint8Array(SIDE * SIDE);
  for (let defect = 0; defective && defect < 3; defect++) {
    const [left, top] = [Math.floor(unit() * (SIDE - 40)), Math.floor(unit() * (SIDE - 40))];
    for (let y = top; y < top + 40; y++) mask.fill(1, y * SIDE + left, y * SIDE + left + 40);
  }
  const map = new Float32Array(SIDE * SIDE);
  for (let i = 0; i < map.length; i++) map[i] = 0.05 * Math.exp(3 * unit() + 1.5 * mask[i]!);
  return { defective, score: unit() + (defective ? 0.5 : 0), map, mask, width: SIDE, height: SIDE };
}

const started = performance.now();
const evaluation = new Evaluation();
let peak = 0;
for (let i = 0; i < IMAGES; i++) {
  evaluation.add(drawn(i % 2 === 0));
  peak = Math.max(peak, process.memoryUsage().rss);
}
const added = performance.now();
const { metrics, errors, intervals, method, pixels } = evaluation.result();
peak = Math.max(peak, process.memoryUsage().rss);
console.log(`${pixels / 1e6} million pixels of ${IMAGES} images, ${method}`);
console.log(
  `${((added - started) / 1000).toFixed(1)} s to draw and add them, ${((performance.now() - added) / 1000).toFixed(1)} s for the metrics and 1000 resamples`,
);
console.log(
  `${(peak / MB).toFixed(0)} MB of memory at most; the maps and masks alone are ${((5 * pixels) / MB).toFixed(0)} MB`,
);
for (const name of ["pixelAuroc", "pixelAp", "pixelF1Max", "pixelAupro"] as const) {
  console.log(
    `${name.padEnd(12)} ${metrics[name]!.toFixed(6)} +- ${errors[name]!.toExponential(1)}  95 % interval ${intervals![name]!.map((end) => end.toFixed(4)).join(" .. ")}`,
  );
}
