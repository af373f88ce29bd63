import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KERNELS } from "../../bench/kernels/rows.ts";
import { ratesOf, writePage, type Measurements } from "../../bench/roofline/page.ts";
import { figure, groupOf, ridgeOf, roofAt, rooflineOf, wordsOf, type Rate } from "../../bench/roofline/points.ts";
import grad from "../../bench/results/grad.llvmpipe.json";
import { measureRoofs } from "../../src/kernels/roofs.ts";
import { device } from "../harness/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const ROOFS = { gigaflops: 100, gigabytes: 10 };
const row = (kernel: string, gigabytes: number, gigaflops: number): Rate => ({
  kernel,
  what: "8x8",
  milliseconds: 2,
  gigabytes,
  gigaflops,
});

test("memory limits left of the ridge, arithmetic right of it", () => {
  expect(ridgeOf(ROOFS)).toBe(10);
  expect([1, 10, 1000].map((intensity) => roofAt(intensity, ROOFS))).toEqual([10, 100, 100]);
});

test("a row lies at its intensity and rate, in the plot, and its words say so", () => {
  const { points, x, y, band } = rooflineOf(
    [row("matmul.forward, uniform", 1, 50), row("softmax.forward", 5, 10)],
    ROOFS,
  );
  expect(points.map((point) => [point.x, point.y, point.share, point.group])).toEqual([
    [50, 50, 0.5, "products and convolutions"],
    [2, 10, 0.5, "norms and activations"],
  ]);
  expect(band).toBeNull();
  for (const point of points) {
    expect(point.x > x[0] && point.x < x[1] && point.y > y[0] && point.y < y[1]).toBe(true);
    expect(point.y).toBeLessThan(roofAt(point.x, ROOFS));
  }
  expect(x[0] < 10 && x[1] > 10 && y[1] > 100).toBe(true); // the ridge is seen
  expect(wordsOf(points[0]!, ROOFS)).toEqual([
    "matmul.forward, uniform",
    "8x8",
    "2 ms: 50 GFLOP/s, 50 operations a byte, 1 GB/s",
    "50 % of the roof of arithmetic",
  ]);
  expect(wordsOf(points[1]!, ROOFS).at(-1)).toBe("50 % of the roof of memory");
});

test("rows without operations lie in the band, as far below the memory roof as they are slower than it", () => {
  const rates = [row("gather.forward", 1, 0), row("copy.region", 10, 0), row("matmul.forward", 1, 50)];
  const { points, x, band } = rooflineOf(rates, ROOFS);
  for (const point of points.slice(0, 2)) {
    expect(point.x > x[0] && point.x < band!).toBe(true);
    expect(point.y / roofAt(point.x, ROOFS)).toBeCloseTo(point.share, 12);
  }
  expect(points[1]!.x).toBeGreaterThan(points[0]!.x); // it moves more
  expect(points[2]!.x).toBeGreaterThan(band!);
  expect(wordsOf(points[0]!, ROOFS)[2]).toBe("2 ms: 1 GB/s");
});

test("work of several dispatches keeps its own share of the roofs", () => {
  const rates = ratesOf(grad as unknown as Measurements);
  expect(rates.map(({ kernel }) => kernel)).toContain("training");
  expect(rates.map(({ what }) => what)).toContain("efficientnet-b6, mobile, batch 16, in half precision");
  const { points } = rooflineOf(rates, grad.roofs);
  expect(points[0]!.share).toBe(grad.results[0]!.share);
  expect(wordsOf(points[0]!, grad.roofs).at(-1)).toMatch(/^30\.6 % of its dispatches' roofs$/);
});

test("every shader has a group, but for those that are named here", () => {
  const others = KERNELS.filter(({ kernel }) => groupOf(kernel) === "others").map(
    ({ kernel }) => kernel.split(".")[0]!,
  );
  const named = "bucket cast copy feature_block_paste gather optimizer pairs perlin_mask random random_sets";
  expect([...new Set(others)].sort().join(" ")).toBe(named);
});

test("figures are short", () => {
  expect([0.01, 3.14159, 470.4, 31_234].map(figure)).toEqual(["0.01", "3.14", "470", "31,200"]);
});

test("the page is made of the reports in a folder, names nothing elsewhere, and no text of theirs is markup", async () => {
  const folder = join(await temporaryFolder(), "reports");
  mkdirSync(folder);
  const head = { adapter: { description: "a <b>card</b>" }, commit: null, date: "2026-01-01", roofs: ROOFS };
  const write = (name: string, body: object) =>
    writeFileSync(join(folder, `${name}.card.json`), JSON.stringify({ ...head, ...body }));
  write("grad", { results: [], inference: [] }); // none of its rows was wanted
  expect(await writePage(folder, folder)).toBeNull();
  write("kernels", { kernels: [row("matmul.forward", 1, 50), row("</script><script>alert(1)", 2, 50)] });
  const path = await writePage(folder, folder);
  expect(path).toBe(join(folder, "roofline.card.html"));
  const page = readFileSync(path!, "utf8");
  expect(page).toContain("a &lt;b&gt;card&lt;/b&gt;");
  expect(page.match(/<script/g)).toHaveLength(2);
  expect(page).not.toContain("<script>alert");
  expect(page).not.toMatch(/(?:src|href)="(?!data:,)|url\((?!data:)|@import/);
  expect(page.match(/<tr data-at/g)).toHaveLength(2);
  expect(page.indexOf("&lt;/script&gt;")).toBeGreaterThan(page.indexOf("matmul.forward")); // sorted by share, lowest first
});

test("roofs are what the device reaches at least", async () => {
  const before = device.memory().bytes;
  const { gigaflops, gigabytes } = await measureRoofs(device);
  // The slowest software adapter on one busy core does a thousandth of a GPU's rate.
  expect(gigaflops).toBeGreaterThan(0.1);
  expect(gigabytes).toBeGreaterThan(0.01);
  expect(gigaflops).toBeLessThan(1e6);
  expect(device.memory().bytes).toBe(before);
});
