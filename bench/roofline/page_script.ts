// The roofline page's script: a plot for each report, and a table whose lines and points mark one another.
import { RooflineChart } from "./chart.ts";
import { rooflineOf } from "./points.ts";
import type { PlotData } from "./page.ts";
import "./page.css";

for (const section of document.querySelectorAll("section")) {
  const { rates, roofs } = JSON.parse(section.querySelector("script")!.textContent) as PlotData;
  const lines = [...section.querySelectorAll<HTMLElement>("tbody tr")];
  const chart = new RooflineChart(section.querySelector<HTMLElement>(".plot")!, (at) =>
    lines.forEach((line) => line.classList.toggle("marked", line.dataset["at"] === String(at))),
  );
  chart.show(rooflineOf(rates, roofs));
  for (const line of lines) {
    line.addEventListener("pointerenter", () => chart.mark(Number(line.dataset["at"])));
    line.addEventListener("pointerleave", () => chart.mark(null));
  }
}
