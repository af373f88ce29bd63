import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Stage } from "../../src/methods/grad/fit.ts";

const HEIGHT = 170;

/** The losses of the stages over the steps taken, on a logarithmic scale. */
export class LossChart {
  readonly #into: HTMLElement;
  readonly #steps: number[] = [];
  readonly #losses: Record<Stage, (number | null)[]> = { abnormal: [], normal: [], residual: [] };
  #plot: uPlot | null = null;

  constructor(into: HTMLElement) {
    this.#into = into;
    new ResizeObserver(() => this.#plot?.setSize({ width: into.clientWidth, height: HEIGHT })).observe(into);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  clear(): void {
    this.#steps.length = 0;
    for (const losses of Object.values(this.#losses)) losses.length = 0;
    this.#plot?.destroy();
    this.#plot = null;
  }

  add(taken: number, stage: Stage, loss: number): void {
    this.#steps.push(taken);
    for (const [name, losses] of Object.entries(this.#losses)) losses.push(stage === name ? loss : null);
    if (this.#plot) this.#plot.setData(this.#data());
    else this.#draw();
  }

  #data(): uPlot.AlignedData {
    return [this.#steps, ...Object.values(this.#losses)];
  }

  #draw(): void {
    if (this.#steps.length === 0) return;
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const line = (label: string, stroke: string): uPlot.Series => ({ label, stroke, width: 2, spanGaps: true, points: { show: false } });
    this.#plot = new uPlot(
      {
        width: this.#into.clientWidth,
        height: HEIGHT,
        scales: { x: { time: false }, y: { distr: 3 } },
        axes: [axis, { ...axis, size: 56 }],
        series: [
          { label: "step" },
          line("stage 1, hinge", colour("--bad")),
          line("stage 2, reconstruction", colour("--accent")),
          line("stage 3, hinge on the residual", colour("--fine")),
        ],
        cursor: { y: false },
      },
      this.#data(),
      this.#into,
    );
  }
}
